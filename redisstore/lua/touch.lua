-- Extension of one record's life, without a new revision.
-- KEYS[1] the record
-- ARGV[1] incarnation that the stored envelope must have (8 bytes)
-- ARGV[2] the deadline, milliseconds since the epoch, or 0 for never
-- ARGV[3] present at the end of a creation: the deadline is the record's own, and
--         the absolute one does not bound it
-- Returns 1: the deadline is this or later, or the absolute one; -1: gone, or
-- another incarnation.
local head = redis.call('GETRANGE', KEYS[1], '0', '28')
local version = string.byte(head, 1)
if #head ~= 29 or version ~= 1 and version ~= 2 or string.sub(head, 2, 9) ~= ARGV[1] then
	return -1
end
local never = math.huge
local function deadline(ms)
	return ms == 0 and never or ms
end
-- At offset 17 and 23: expires at and absolute deadline, 6 bytes each.
local current = deadline(struct.unpack('>I6', head, 18))
local absolute = ARGV[3] and never or deadline(struct.unpack('>I6', head, 24))
local wanted = math.min(deadline(tonumber(ARGV[2])), absolute)
if wanted <= current then
	return 1
end
if wanted == never then
	redis.call('SETRANGE', KEYS[1], '17', struct.pack('>I6', 0))
	redis.call('PERSIST', KEYS[1])
else
	redis.call('SETRANGE', KEYS[1], '17', struct.pack('>I6', wanted))
	-- A key lives through the millisecond of its expiry, a record does not.
	redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', wanted - 1))
end
-- With tracking, as in update.lua: have the next change reported.
redis.call('STRLEN', KEYS[1])
return 1
