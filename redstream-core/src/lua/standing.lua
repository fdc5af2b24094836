-- How far consumers have come in a stream.
-- KEYS: stream, registry, then the offset of each consumer
-- ARGV: the name of each consumer
-- -> {id of the last message ever added, then for each consumer:
--     '1' registered or '0', '1' paused or '0', id of the first message that it has not committed or ''}
-- A consumer without a note that has an offset counts as registered: one of the Ruby gem.
local reply = {(last_generated(KEYS[1]))}
for i = 1, #ARGV do
  local note, offset = registered(KEYS[2], ARGV[i]), redis.call('GET', KEYS[2 + i])
  local after, first = offset or '0-0', nil
  if not is_greatest(after) then first = redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', 1)[1] end
  reply[#reply + 1] = (note or offset) and '1' or '0'
  reply[#reply + 1] = note and note.paused and '1' or '0'
  reply[#reply + 1] = first and first[1] or ''
end
return reply
