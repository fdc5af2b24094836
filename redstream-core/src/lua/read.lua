-- Reads what is behind an id: up to so many messages, and no more of them once they have come to the budget.
-- KEYS: stream
-- ARGV: id, most, budget in bytes
-- -> {id, payload or false if the entry has none, id, …}; for an entry for one consumer only, {payload, consumer}
local read, n = {}, 0
each_entry(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), function(id, fields)
  local payload = fields[1] == 'payload' and fields[2]
  local consumer
  for f = 1, payload and 0 or #fields, 2 do
    if fields[f] == 'consumer' then consumer = fields[f + 1] end
    if fields[f] == 'payload' then payload = fields[f + 1] break end
  end
  if consumer and payload then payload = {payload, consumer} end
  read[n + 1], read[n + 2], n = id, payload, n + 2
end)
return read
