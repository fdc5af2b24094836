-- Counts messages behind an id without sending them anywhere; not all at once, so as not to hold up Redis.
-- KEYS: stream
-- ARGV: id, most, budget in bytes
-- -> {messages counted, id of the last entry counted, 1 if that was all, else 0}
local count, last, all = each_entry(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), function(_, fields)
  return messages_in(fields)
end)
return {count, last, all and 1 or 0}
