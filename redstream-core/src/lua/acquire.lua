-- Takes a lock that is free. A repeated call with the same token finds it taken by itself, and succeeds.
-- KEYS: lock, lock.notify [, registry, offset, stream]   (the last three: a consumer's lock)
-- ARGV: token, ttl_ms [, name, note, start]
-- -> {'acquired', offset or '', id of the stream's last message, how often the consumer was rewound}
--    | {'held', ms until it expires, ms by which that was cut} | {'paused'}
-- An offset beyond the stream's last message is set back to that one: the messages between are lost, and those that
-- get their ids next must not be skipped as well. The reply tells the offset as it was.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {'held', remaining(KEYS[1], holder)}
end
local offset, last, rewinds = '', '0-0', 0
if KEYS[3] then
  local note = registered(KEYS[3], ARGV[3])
  if note and note.paused then return {'paused'} end
  register(KEYS[3], KEYS[4], KEYS[5], ARGV[3], ARGV[4], ARGV[5])
  offset, last = redis.call('GET', KEYS[4]) or '', last_generated(KEYS[5])
  rewinds = note and note.rewinds or 0
  if offset ~= '' and parts(offset) and before(last, offset) then redis.call('SET', KEYS[4], last) end
end
-- First what takes no memory: a full Redis refuses the script else.
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'acquired', offset, last, rewinds}
