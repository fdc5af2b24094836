-- Moves delay messages that were read, and are due, to their main stream. They are always the oldest, so trimming removes
-- exactly them. What was read goes back as arguments: for Redis that is half the work of reading it here, entry by entry.
-- KEYS: lock, registry, offset, X.delay, X
-- ARGV: token, ttl_ms, name, delay_ms, id of the last one to move, how many entries have no payload, their ids, payloads
-- -> {'moved', 1 or 0 where the last one is not due, now_ms, ms until the next is due or -1}
--    | {'lost'} | {'forgotten'} | {'paused'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local note = registered(KEYS[2], ARGV[3])
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local now, delay, last = math.floor(now_us() / 1000), tonumber(ARGV[4]), ARGV[5]
local moved = 0
if tonumber((parts(last))) + delay <= now then
  moved = 1
  -- Local, since they are looked up for every message.
  local payloads, call, main, arguments = 7 + tonumber(ARGV[6]), redis.call, KEYS[5], ARGV
  for i = 7, payloads - 1 do
    local entry = call('XRANGE', KEYS[4], arguments[i], arguments[i])[1]
    if entry then call('XADD', main, '*', unpack(entry[2])) end
  end
  for i = payloads, #arguments do call('XADD', main, '*', 'payload', arguments[i]) end
  if last ~= '0-0' then
    redis.call('XTRIM', KEYS[4], 'MINID', '=', after(last))
    redis.call('SET', KEYS[3], last)
  end
end
local wait, head = -1, redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)
if head[1] then wait = math.max(0, tonumber((parts(head[1][1]))) + delay - now) end
return {'moved', moved, string.format('%.0f', now), wait}
