-- Puts a dead letter back into the main stream, for its consumer alone.
-- KEYS: dead letters, stream
-- ARGV: id of the dead letter, consumer
-- -> 1 redriven, 0 no longer there, -1 it holds only the beginning of its payload
-- For a full Redis: a script whose first write can take no memory passes, and no message has this id.
redis.call('XDEL', KEYS[1], '0-0')
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return 0 end
local fields = letter[2]
for i = 1, #fields, 2 do
  if fields[i] == 'bytes' then return -1 end
end
for i = 1, #fields, 2 do
  if fields[i] == 'payload' then redis.call('XADD', KEYS[2], '*', 'consumer', ARGV[2], 'payload', fields[i + 1]) end
end
return redis.call('XDEL', KEYS[1], ARGV[1])
