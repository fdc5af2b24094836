-- Removes the messages that every consumer has committed, and that are older than the retention.
-- KEYS: stream, registry, offset keys
-- ARGV: retention_ms, then for each offset key its consumer: 'r' registered or 'l' only listed, then the name
-- -> {'trimmed', entries removed, 'alone' | 'spared' | 'kept' | 'removed'}   (the last word: what became of what groups have
--                                     not acknowledged: there are none, it was spared and is none, is some, or was removed)
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

local lowest, last, groups = nil, last_generated(KEYS[1])
for i = 2, #ARGV do
  local name, offset = string.sub(ARGV[i], 2), redis.call('GET', KEYS[i + 1])
  if not offset then return {'waiting', name} end
  if not parts(offset) then
    return redis.error_reply('ERR the offset at ' .. KEYS[i + 1] .. ' is not a message id: ' .. string.sub(offset, 1, 64))
  end
  if before(last, offset) then return {'beyond', name, offset, last} end
  if not lowest or before(offset, lowest) then lowest = offset end
end
if not lowest then return {'trimmed', 0, 'alone'} end
local minid = after(lowest)
local kept = string.format('%.0f-0', math.max(0, math.floor(now_us() / 1000) - tonumber(ARGV[1])))
if tonumber(ARGV[1]) > 0 and before(kept, minid) then minid = kept end
-- Exact '=': '~' removes at most 10,000 entries a call.
if groups == 0 then return {'trimmed', redis.call('XTRIM', KEYS[1], 'MINID', '=', minid), 'alone'} end
-- Others read the stream by groups of their own. From Redis 8.2 on XTRIM can spare what they have not acknowledged.
local removed = redis.pcall('XTRIM', KEYS[1], 'MINID', '=', minid, 'ACKED')
if type(removed) ~= 'number' then
  return {'trimmed', redis.call('XTRIM', KEYS[1], 'MINID', '=', minid), 'removed'}
end
-- Before the very first id there is nothing, and Redis refuses to look.
local kept = minid ~= '0-0' and redis.call('XRANGE', KEYS[1], '-', '(' .. minid, 'COUNT', 1)[1]
return {'trimmed', removed, kept and 'kept' or 'spared'}
