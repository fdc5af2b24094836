-- Whether a stream lacks its delayer or its trimmer.
-- KEYS: stream, delay stream, registry of the delay stream, lock of the trimmer, offset of a consumer
-- ARGV: delay_ms to go by if no delayer ever published its own
-- -> {ms for which the oldest delay message is overdue or -1,
--     age in ms of the oldest message, if no trimmer is at work and the consumer has committed that message, or -1}
local now, overdue, untrimmed = math.floor(now_us() / 1000), -1, -1
local note = registered(KEYS[3], 'delayer')
local delay = tonumber(note and note.delay_ms or ARGV[1])
local waiting = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if waiting then overdue = math.max(-1, now - tonumber((parts(waiting[1]))) - delay) end
if redis.call('EXISTS', KEYS[4]) == 0 then
  local oldest, offset = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1], redis.call('GET', KEYS[5])
  if oldest and offset and parts(offset) and not before(offset, oldest[1]) then
    untrimmed = math.max(-1, now - tonumber((parts(oldest[1]))))
  end
end
return {overdue, untrimmed}
