-- Reads an entry that had no document a moment ago, and leases it for a fill if it still has none.
-- KEYS: the entry. ARGV: the id of a new lease; its milliseconds; a document that counts as none, or ''.
-- Returns the document, or '' and the lease: the new one, or the one that the entry has.
local key = KEYS[1]
local document = redis.call('HGET', key, 'document')
if document and document ~= ARGV[3] then
    return {document, ''}
end
local lease = redis.call('HGET', key, 'lease')
if not lease then
    lease = ARGV[1]
    redis.call('HSET', key, 'lease', lease)
end
if document then
    redis.call('HDEL', key, 'document')
end
-- A tombstone lives longer than a lease, and must.
if redis.call('PTTL', key) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', key, ARGV[2])
end
return {'', lease}
