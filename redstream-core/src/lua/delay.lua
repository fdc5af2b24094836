-- Moves the delay messages that are due to their main stream. They are always the oldest, so trimming
-- removes exactly them; a payload that is due several times is queued once.
-- KEYS: lock, registry, offset, X.delay, X
-- ARGV: token, ttl_ms, name, delay_ms, count
-- -> {'moved', delay messages removed, main messages added, ms until the next is due or -1}
--    | {'lost'} | {'forgotten'} | {'paused'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local note = registered(KEYS[2], ARGV[3])
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local now = math.floor(now_us() / 1000)
local delay = tonumber(ARGV[4])
local due = {}
if now >= delay then
  due = redis.call('XRANGE', KEYS[4], '-', string.format('%.0f', now - delay), 'COUNT', ARGV[5])
end
local queued, added = {}, 0
for i = 1, #due do
  local fields = due[i][2]
  local payload = #fields == 2 and fields[1] == 'payload' and fields[2]
  if not payload or not queued[payload] then
    redis.call('XADD', KEYS[5], '*', unpack(fields))
    if payload then queued[payload] = true end
    added = added + 1
  end
end
if #due > 0 then
  local last = due[#due][1]
  redis.call('XTRIM', KEYS[4], 'MINID', '=', after(last))
  redis.call('SET', KEYS[3], last)
end
local wait, head = -1, redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)
if head[1] then wait = math.max(0, tonumber((parts(head[1][1]))) + delay - now) end
return {'moved', #due, added, wait}
