-- Gives the lock back and wakes one standby.
-- KEYS: lock, lock.notify [, registry]   (the last: a consumer's lock)
-- ARGV: token, notify_ttl_ms [, name]
-- -> 1 released, 0 not the owner
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('RPUSH', KEYS[2], '1')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
if KEYS[3] then
  local note = registered(KEYS[3], ARGV[3])
  if note and note.owner == ARGV[1] then
    note.owner = nil
    redis.call('HSET', KEYS[3], ARGV[3], cjson.encode(note))
  end
end
return 1
