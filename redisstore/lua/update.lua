-- Compare-and-swap of one record.
-- KEYS[1] the record
-- ARGV[1] incarnation and revision that the stored envelope must have (16 bytes)
-- ARGV[2] the new envelope, of version 2
-- ARGV[3] when it expires, milliseconds since the epoch, or '' for never
-- ARGV[4] channel, ARGV[5] message about the change; absent with tracking
-- Returns 1: written; 0: another revision; -1: gone, or another incarnation.
local stored = redis.call('GETRANGE', KEYS[1], 0, 16)
local version = string.byte(stored, 1)
if #stored ~= 17 or version ~= 1 and version ~= 2 or string.sub(stored, 2, 9) ~= string.sub(ARGV[1], 1, 8) then
	return -1
end
if string.sub(stored, 10, 17) ~= string.sub(ARGV[1], 9, 16) then
	return 0
end
if ARGV[3] == '' then
	redis.call('SET', KEYS[1], ARGV[2])
else
	redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
end
if ARGV[4] then
	redis.call('PUBLISH', ARGV[4], ARGV[5])
else
	-- A write makes the server forget that this connection holds the key; a read
	-- has it report the next change by another.
	redis.call('GETRANGE', KEYS[1], 0, 0)
end
return 1
