-- Stores the owner's offset where it is newer, keeps the lock, and issues a version.
-- Dead letters are written by the same script, so that no message is both skipped and forgotten.
-- KEYS: lock, offset, registry, version [, dead letters]   (the last one only with dead letters: in a slot of a Cluster that
--       is being moved, a script that names a key which does not exist is refused)
-- ARGV: token, ttl_ms, name, id, floor (above every version this process has seen),
--       then for each dead letter: payload, message_id, error, attempts
-- -> {'stored', version} | {'not newer', version} | {'lost'} | {'forgotten'} | {'paused'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local note = registered(KEYS[3], ARGV[3])
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 6, #ARGV, 4 do
  redis.call('XADD', KEYS[5], '*', 'payload', ARGV[i], 'message_id', ARGV[i + 1], 'error', ARGV[i + 2], 'attempts', ARGV[i + 3])
end
local current = redis.call('GET', KEYS[2])
if current and not parts(current) then
  return redis.error_reply('ERR the offset at ' .. KEYS[2] .. ' is not a message id: ' .. current)
end
if current and not before(current, ARGV[4]) then
  return {'not newer', next_version(KEYS[4], ARGV[5])}
end
redis.call('SET', KEYS[2], ARGV[4])
return {'stored', next_version(KEYS[4], ARGV[5])}
