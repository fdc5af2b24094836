-- Keeps a lock for another TTL.
-- KEYS: lock [, registry]
-- ARGV: token, ttl_ms [, name]
-- -> 'renewed' | 'lost' | 'forgotten' | 'paused'
local note = KEYS[2] and registered(KEYS[2], ARGV[3])
if not owns(KEYS[1], note, ARGV[1], ARGV[2]) then return 'lost' end
if KEYS[2] then
  if not note then return 'forgotten' end
  if note.paused then return 'paused' end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'renewed'
