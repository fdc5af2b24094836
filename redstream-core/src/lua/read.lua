-- Reads what is behind an id: up to so many messages, and no more of them once they have come to the budget. An entry is read
-- whole, so the last one may bring more messages than that.
-- KEYS: stream
-- ARGV: id, most, budget in bytes
-- -> {id, payload or false if the entry has none, id, …}; for an entry of several messages, for one consumer only, or
--     with the trace of its writer, {field, its value, consumer or false, trace or false}
local read, n = {}, 0
each_entry(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), function(id, fields)
  local holds = fields[1] == 'payload' and fields[2]
  local consumer, trace = false, false
  for f = 1, holds and 0 or #fields, 2 do
    local field = fields[f]
    if field == 'consumer' then consumer = fields[f + 1] end
    if field == 'traceparent' then trace = fields[f + 1] end
    if field == 'payload' or field == 'payloads' then
      holds = (consumer or trace or field == 'payloads') and {field, fields[f + 1], consumer, trace} or fields[f + 1]
      break
    end
  end
  read[n + 1], read[n + 2], n = id, holds, n + 2
  return messages_in(fields)
end)
return read
