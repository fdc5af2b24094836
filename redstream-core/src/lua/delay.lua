-- Moves the delay messages that are due to their main stream. They are always the oldest, so trimming
-- removes exactly them; a payload that is due several times is queued once.
-- KEYS: lock, registry, offset, X.delay, X
-- ARGV: token, ttl_ms, name, delay_ms, most, budget in bytes
-- -> {'moved', delay messages removed, main messages added, ms until the next is due or -1}
--    | {'lost'} | {'forgotten'} | {'paused'}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lost'} end
local note = registered(KEYS[2], ARGV[3])
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local now = math.floor(now_us() / 1000)
local delay = tonumber(ARGV[4])
local queued, added, due, last = {}, 0, 0, '0-0'
if now >= delay then
  local to = string.format('%.0f', now - delay)
  due, last = each_entry(KEYS[4], last, to, tonumber(ARGV[5]), tonumber(ARGV[6]), function(_, fields)
    local payload = #fields == 2 and fields[1] == 'payload' and fields[2]
    if not payload then
      redis.call('XADD', KEYS[5], '*', unpack(fields))
    elseif queued[payload] then
      return
    else
      redis.call('XADD', KEYS[5], '*', 'payload', payload)
      queued[payload] = true
    end
    added = added + 1
  end)
end
if due > 0 then
  redis.call('XTRIM', KEYS[4], 'MINID', '=', after(last))
  redis.call('SET', KEYS[3], last)
end
local wait, head = -1, redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)
if head[1] then wait = math.max(0, tonumber((parts(head[1][1]))) + delay - now) end
return {'moved', due, added, wait}
