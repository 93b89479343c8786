-- Compare-and-swap of one record.
-- KEYS[1] the record
-- ARGV[1] incarnation and revision that the stored envelope must have (16 bytes)
-- ARGV[2] the new envelope, of version 2
-- ARGV[3] when it expires, milliseconds since the epoch, or '' for never
-- ARGV[4] '1' if the index of the new subject has the record until its new end,
--         else ''
-- ARGV[5] channel, ARGV[6] message about the change; absent with tracking
-- Returns 1: written; 0: another revision; -1: gone, or another incarnation;
-- 2: not written, for the index must have the record first.
--
-- Numbers are given to commands as strings, which is quicker: the server would
-- print them as if they were fractions.
local indexed = ARGV[4] ~= '' or string.byte(ARGV[2], 74) == 0 -- or needs no index
local stored = redis.call('GETRANGE', KEYS[1], '0', indexed and '73' or '331') -- as far as the longest subject
local version = string.byte(stored, 1)
if #stored < 74 or version ~= 2 and version ~= 1 then
	return -1
end
if string.sub(stored, 2, 17) ~= ARGV[1] then
	return string.sub(stored, 2, 9) == string.sub(ARGV[1], 1, 8) and 0 or -1
end
if not indexed then
	-- Of version 2: the length of the subject is at offset 73, the subject at 77.
	local function subject(envelope)
		return string.sub(envelope, 78, 77 + string.byte(envelope, 74))
	end
	-- At offset 17 and 23: expires at and absolute deadline, 6 bytes each, 0 for
	-- never. The later of the two is the end that the index knows.
	local function ending(envelope)
		local expires, absolute = struct.unpack('>I6I6', envelope, 18)
		if expires == 0 or absolute == 0 then
			return math.huge
		end
		return math.max(expires, absolute)
	end
	-- There was no index yet when version 1 was written.
	if version == 1 or subject(stored) ~= subject(ARGV[2]) or ending(stored) < ending(ARGV[2]) then
		return 2
	end
end
if ARGV[3] == '' then
	redis.call('SET', KEYS[1], ARGV[2])
else
	redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
end
if ARGV[5] then
	redis.call('PUBLISH', ARGV[5], ARGV[6])
else
	-- A write makes the server forget that this connection holds the key; a read
	-- has it report the next change by another.
	redis.call('STRLEN', KEYS[1])
end
return 1
