-- Moves a consumer's place, also backwards, and takes the lock away, so that the running owner's next commit
-- is refused. The version key stays: what is handled again has greater versions.
-- KEYS: lock, lock.notify, registry, offset, stream
-- ARGV: name, start ('-' earliest, '$' latest, or an id), notify_ttl_ms
-- -> the new offset | false: no such consumer
local note = registered(KEYS[3], ARGV[1])
if not note then return false end
pass_when_full(KEYS[3])
note.rewinds = (note.rewinds or 0) + 1
note.owner = nil
redis.call('HSET', KEYS[3], ARGV[1], cjson.encode(note))
local offset = place(KEYS[5], ARGV[2]) or '0-0'
redis.call('SET', KEYS[4], offset)
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('RPUSH', KEYS[2], '1')
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return offset
