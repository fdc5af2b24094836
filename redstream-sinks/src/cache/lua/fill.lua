-- Writes the document that a reader loaded, if the entry still has the lease under which it was loaded: whatever
-- evicts or writes the entry removes its lease.
-- KEYS: the entry. ARGV: the lease; the document; the milliseconds that it lives.
-- Returns 1 if it is written, else 0.
local key = KEYS[1]
if redis.call('HGET', key, 'lease') ~= ARGV[1] then
    return 0
end
redis.call('HSET', key, 'document', ARGV[2])
redis.call('HDEL', key, 'lease')
redis.call('PEXPIRE', key, ARGV[3])
return 1
