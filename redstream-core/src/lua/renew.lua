-- Keeps a lock for another TTL.
-- KEYS: lock [, registry]
-- ARGV: token, ttl_ms [, name]
-- -> 'renewed' | 'lost' | 'forgotten' | 'paused'
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if KEYS[2] then
  local note = registered(KEYS[2], ARGV[3])
  if not note then return 'forgotten' end
  if note.paused then return 'paused' end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'renewed'
