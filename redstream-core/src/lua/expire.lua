-- Removes the messages older than an age, read or not.
-- KEYS: stream, offset keys of the consumers
-- ARGV: age_ms
-- -> {entries removed, how many of them some consumer had not committed}
local minid = string.format('%.0f-0', math.max(0, math.floor(now_us() / 1000) - tonumber(ARGV[1])))
local read = nil -- the first id that some consumer has not committed
for i = 2, #KEYS do
  local offset = redis.call('GET', KEYS[i]) or '0-0'
  local first = parts(offset) and after(offset) or '0-0'
  if not read or before(first, read) then read = first end
end
local removed, unread = 0, 0
if read and before(read, minid) then
  removed = redis.call('XTRIM', KEYS[1], 'MINID', '=', read)
  unread = redis.call('XTRIM', KEYS[1], 'MINID', '=', minid)
else
  removed = redis.call('XTRIM', KEYS[1], 'MINID', '=', minid)
end
return {removed + unread, unread}
