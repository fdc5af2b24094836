-- Retires a consumer: trimming no longer waits for it. Its version key stays, so that a successor of
-- that name never issues an older version.
-- KEYS: lock, registry, offset
-- ARGV: name
-- -> 1 forgotten, 0 not known, -1 still running (its lock is held)
if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local known = redis.call('HDEL', KEYS[2], ARGV[1])
return math.max(known, redis.call('DEL', KEYS[3]))
