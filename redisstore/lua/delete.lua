-- Deletion of one record, and the message about it.
-- KEYS[1] the record
-- ARGV[1] channel
-- ARGV[2] message
if redis.call('DEL', KEYS[1]) == 1 then
	redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return 1
