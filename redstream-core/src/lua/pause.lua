-- Sets or clears the flag that taking a lock, renewing it and committing test; clearing it wakes a standby.
-- KEYS: registry, lock.notify
-- ARGV: name, '1' pause or '0' resume, notify_ttl_ms
-- -> 1 done, 0 no such consumer
pass_when_full(KEYS[1])
local note = registered(KEYS[1], ARGV[1])
if not note then return 0 end
note.paused = ARGV[2] == '1' or nil
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(note))
if not note.paused then
  redis.call('RPUSH', KEYS[2], '1')
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
