-- Takes a lock that is free. A repeated call with the same token finds it taken by itself, and succeeds.
-- KEYS: lock, lock.notify [, registry, offset, stream]   (the last three: a consumer's lock)
-- ARGV: token, ttl_ms [, name, note, start]
-- -> {'acquired', offset or ''} | {'held', ms until it expires} | {'paused'}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {'held', redis.call('PTTL', KEYS[1])} end
if KEYS[3] then
  local note = registered(KEYS[3], ARGV[3])
  if note and note.paused then return {'paused'} end
  register(KEYS[3], KEYS[4], KEYS[5], ARGV[3], ARGV[4], ARGV[5])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return {'acquired', KEYS[4] and redis.call('GET', KEYS[4]) or ''}
