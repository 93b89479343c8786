-- Deletion of one record, and the message about it.
-- KEYS[1] the record
-- ARGV[1] the incarnation that alone is to be deleted (8 bytes), or '' for any
-- ARGV[2] channel, ARGV[3] message; absent with tracking
-- Returns incarnation and subject of what was deleted, or '' if nothing was, or
-- no index has it.
local stored = redis.call('GETRANGE', KEYS[1], '0', '331') -- as far as the longest subject
if ARGV[1] ~= '' and string.sub(stored, 2, 9) ~= ARGV[1] then
	return ''
end
redis.call('DEL', KEYS[1])
if ARGV[2] then
	-- Also if it was gone: others may hold it all the same.
	redis.call('PUBLISH', ARGV[2], ARGV[3])
end
-- As in update.lua. There was no index yet when version 1 was written.
if #stored < 77 or string.byte(stored, 1) ~= 2 or string.byte(stored, 74) == 0 then
	return ''
end
return string.sub(stored, 2, 9) .. string.sub(stored, 78, 77 + string.byte(stored, 74))
