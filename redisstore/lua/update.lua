-- Compare-and-swap of one record.
-- KEYS[1] the record
-- ARGV[1] version, incarnation and revision that the stored envelope must
--         begin with (17 bytes)
-- ARGV[2] the new envelope
-- ARGV[3] when it expires, milliseconds since the epoch, or '' for never
-- Returns 1: written; 0: another revision; -1: gone, or another incarnation.
local head = redis.call('GETRANGE', KEYS[1], 0, 16)
if head ~= ARGV[1] then
	if #head == 17 and string.sub(head, 1, 9) == string.sub(ARGV[1], 1, 9) then
		return 0
	end
	return -1
end
if ARGV[3] == '' then
	redis.call('SET', KEYS[1], ARGV[2])
else
	redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
end
return 1
