-- Gives the lock back and wakes one standby.
-- KEYS: lock, lock.notify
-- ARGV: token, notify_ttl_ms
-- -> 1 released, 0 not the owner
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('RPUSH', KEYS[2], '1')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
