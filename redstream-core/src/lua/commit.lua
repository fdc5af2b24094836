-- Stores the owner's offset where it is newer, keeps the lock, and issues a version.
-- KEYS: lock, offset, registry, version
-- ARGV: token, ttl_ms, name, id, floor (above every version this process has seen)
-- -> {'stored', version} | {'not newer', version} | {'lost'} | {'forgotten'} | {'paused'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local note = registered(KEYS[3], ARGV[3])
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local current = redis.call('GET', KEYS[2])
if current and not parts(current) then
  return redis.error_reply('ERR the offset at ' .. KEYS[2] .. ' is not a message id: ' .. current)
end
if current and not before(current, ARGV[4]) then
  return {'not newer', next_version(KEYS[4], ARGV[5])}
end
redis.call('SET', KEYS[2], ARGV[4])
return {'stored', next_version(KEYS[4], ARGV[5])}
