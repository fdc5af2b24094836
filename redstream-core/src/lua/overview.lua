-- What there is of a stream, at one moment.
-- KEYS: stream, delay stream, registry, registry of the delay stream, lock of the delayer, its dead letters, lock of the trimmer,
--       then for each consumer: offset, lock, dead letters
-- ARGV: the name of each consumer
-- -> {now in ms, id of the last message ever added, entries, id of the oldest or '', entries of delay messages, id of the oldest
--     or '', the delayer's note or '', the value of its lock or '', its dead letters, that of the trimmer's lock or '',
--     then for each consumer: note or '', offset or '', id of the first entry that it has not committed or '',
--     the value of its lock or '', dead letters}
local function oldest(stream, after)
  local entry = redis.call('XRANGE', stream, after, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end
local reply = {
  math.floor(now_us() / 1000),
  (last_generated(KEYS[1])), redis.call('XLEN', KEYS[1]), oldest(KEYS[1], '-'),
  redis.call('XLEN', KEYS[2]), oldest(KEYS[2], '-'),
  redis.call('HGET', KEYS[4], 'delayer') or '', redis.call('GET', KEYS[5]) or '', redis.call('XLEN', KEYS[6]),
  redis.call('GET', KEYS[7]) or '',
}
for i = 1, #ARGV do
  local key = 5 + 3 * i
  local offset = redis.call('GET', KEYS[key]) or ''
  local first = ''
  if offset == '' then
    first = reply[4]
  elseif not parts(offset) then
    return redis.error_reply('ERR the offset at ' .. KEYS[key] .. ' is not a message id: ' .. string.sub(offset, 1, 64))
  elseif not is_greatest(offset) then
    first = oldest(KEYS[1], '(' .. offset)
  end
  reply[#reply + 1] = redis.call('HGET', KEYS[3], ARGV[i]) or ''
  reply[#reply + 1] = offset
  reply[#reply + 1] = first
  reply[#reply + 1] = redis.call('GET', KEYS[key + 1]) or ''
  reply[#reply + 1] = redis.call('XLEN', KEYS[key + 2])
end
return reply
