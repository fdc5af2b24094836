-- Replaces the record of a reindex, if it is still as the caller read it. A repeated call finds its own record, and succeeds.
-- KEYS: records [, lock]   (the lock: for the process that runs the reindex; operators change a record without it)
-- ARGV: id, record as read ('' if there was none), new record ('' removes it) [, token]
-- -> {'stored'} | {'changed', the record as it is now or ''} | {'lost'}
if KEYS[2] and redis.call('GET', KEYS[2]) ~= ARGV[4] then return {'lost'} end
-- A full Redis lets a reindex be aborted: this stops the messages that fill it.
pass_when_full(KEYS[1])
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now == ARGV[3] then return {'stored'} end
if now ~= ARGV[2] then return {'changed', now} end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return {'stored'}
