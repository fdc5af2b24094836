-- Removes the messages that every consumer has committed, and that are older than the retention.
-- KEYS: stream, registry, offset keys
-- ARGV: retention_ms, then for each offset key its consumer: 'r' registered or 'l' only listed, then the name
-- -> {'trimmed', entries removed}
--    | {'registry', names...}            the registry differs from the names given: try again with these
--    | {'waiting', name}                 that consumer has committed nothing yet
--    | {'beyond', name, offset, last}    that offset lies beyond the stream's last message: messages were lost
local given, registry_size = {}, 0
for i = 2, #ARGV do
  local flag, name = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
  if string.sub(KEYS[i + 1], -#name - 1) ~= ':' .. name then
    return redis.error_reply('ERR ' .. KEYS[i + 1] .. ' is not the offset of ' .. name)
  end
  given[name] = flag
  if flag == 'r' then registry_size = registry_size + 1 end
end
local names = redis.call('HKEYS', KEYS[2])
local same = #names == registry_size
for i = 1, #names do same = same and given[names[i]] == 'r' end
if not same then
  table.insert(names, 1, 'registry') -- as a table: unpack has a limit
  return names
end

local last, lowest = last_generated(KEYS[1]), nil
for i = 2, #ARGV do
  local name, offset = string.sub(ARGV[i], 2), redis.call('GET', KEYS[i + 1])
  if not offset then return {'waiting', name} end
  if not parts(offset) then
    return redis.error_reply('ERR the offset at ' .. KEYS[i + 1] .. ' is not a message id: ' .. string.sub(offset, 1, 64))
  end
  if before(last, offset) then return {'beyond', name, offset, last} end
  if not lowest or before(offset, lowest) then lowest = offset end
end
if not lowest then return {'trimmed', 0} end
local minid = after(lowest)
local kept = string.format('%.0f-0', math.max(0, math.floor(now_us() / 1000) - tonumber(ARGV[1])))
if tonumber(ARGV[1]) > 0 and before(kept, minid) then minid = kept end
-- Exact '=': '~' removes at most 10,000 entries a call.
return {'trimmed', redis.call('XTRIM', KEYS[1], 'MINID', '=', minid)}
