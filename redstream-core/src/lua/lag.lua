-- How old the oldest message is that a consumer has not committed.
-- KEYS: stream, offset
-- -> ms, -1 if there is none
local offset = redis.call('GET', KEYS[2]) or '0-0'
if is_greatest(offset) then return -1 end
local oldest = redis.call('XRANGE', KEYS[1], '(' .. offset, '+', 'COUNT', 1)[1]
if not oldest then return -1 end
return math.max(0, math.floor(now_us() / 1000) - tonumber((parts(oldest[1]))))
