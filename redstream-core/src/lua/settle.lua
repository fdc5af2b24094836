-- Adds main messages and removes the delay messages that insured them: both or neither, so that no failover can
-- keep the one and lose the other.
-- KEYS: X, X.delay
-- ARGV: number of payloads, the payloads, then the ids of the delay messages
-- -> ids of the main messages
redis.call('XLEN', KEYS[2]) -- fails if it is no stream, before anything is added
local payloads, ids = tonumber(ARGV[1]), {}
for i = 2, payloads + 1 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'payload', ARGV[i])
end
for i = payloads + 2, #ARGV do redis.call('XDEL', KEYS[2], ARGV[i]) end
return ids
