-- Deletion of one record, and the message about it.
-- KEYS[1] the record
-- ARGV[1] channel
-- ARGV[2] message
redis.call('DEL', KEYS[1])
-- Also if it was gone: others may hold it all the same.
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
