-- Issues a version to the owner, and keeps the lock for another TTL.
-- KEYS: lock, registry, version
-- ARGV: token, ttl_ms, name, floor (above every version this process has seen)
-- -> {'touched', version} | {'lost'} | {'forgotten'} | {'paused'}
local note = registered(KEYS[2], ARGV[3])
if not owns(KEYS[1], note, ARGV[1], ARGV[2]) then return {'lost'} end
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'touched', next_version(KEYS[3], ARGV[4])}
