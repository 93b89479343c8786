-- Addition of one name to the index of a subject.
-- KEYS[1] the index
-- ARGV[1] the name
-- ARGV[2] when the record ends at the latest, milliseconds since the epoch, or
--         '+inf' for never
-- ARGV[3] how many milliseconds clocks may differ
-- Returns 1.
--
-- With tracking a read before the writes leaves nothing to be reported: a write
-- makes the server forget it.
local last = tonumber(ARGV[2])
local latest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if latest then
	last = math.max(last, tonumber(latest))
end
local time = redis.call('TIME')
local ended = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', ended))
-- GT: of two updates that raise a record's end, the one that loses may come last.
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
if last == math.huge then
	redis.call('PERSIST', KEYS[1])
else
	redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last + ARGV[3]))
end
return 1
