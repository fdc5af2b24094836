-- Stores the owner's offset if it is newer, keeps the lock, and issues a version.
-- Dead letters are written by the same script, so that no message is both skipped and forgotten.
-- KEYS: lock, offset, registry, version [, dead letters]   (the last one only with dead letters: in a slot of a Cluster that
--       is being moved, a script that names a key which does not exist is refused)
-- ARGV: token, ttl_ms, name, id, floor (above every version this process has seen),
--       then for each dead letter: payload, id of its entry, position in it ('' for the last message), error, attempts, length of
--       the whole payload ('' if this is all)
-- -> {'stored', version} | {'not newer', version} | {'lost'} | {'forgotten'} | {'paused'}
local note = registered(KEYS[3], ARGV[3])
if not owns(KEYS[1], note, ARGV[1], ARGV[2]) then return {'lost'} end
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
local current = redis.call('GET', KEYS[2])
if current and not parts(current) then
  return redis.error_reply('ERR the offset at ' .. KEYS[2] .. ' is not a message id: ' .. string.sub(current, 1, 64))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
-- What can fail comes first: no dead letter is written twice because something behind it failed.
local version = next_version(KEYS[4], ARGV[5])
for i = 6, #ARGV, 6 do
  local letter = {'payload', ARGV[i], 'message_id', ARGV[i + 1], 'error', ARGV[i + 3], 'attempts', ARGV[i + 4]}
  if ARGV[i + 2] ~= '' then table.insert(letter, 'index') table.insert(letter, ARGV[i + 2]) end
  if ARGV[i + 5] ~= '' then table.insert(letter, 'bytes') table.insert(letter, ARGV[i + 5]) end
  redis.call('XADD', KEYS[5], '*', unpack(letter))
end
if current and not before(current, ARGV[4]) then return {'not newer', version} end
redis.call('SET', KEYS[2], ARGV[4])
return {'stored', version}
