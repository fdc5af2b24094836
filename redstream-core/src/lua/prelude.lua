-- Shared by the scripts; put in front of each of them. Touches no key by itself.

-- An id's two numbers, as decimal strings without leading zeros: exact to 2^64, where Lua's doubles are not.
local function parts(id)
  local ms, seq = string.match(id, '^0*(%d+)%-0*(%d+)$')
  if not ms then ms, seq = string.match(id, '^0*(%d+)$'), '0' end
  return ms, seq
end

local function shorter(x, y) if #x ~= #y then return #x < #y end return x < y end

-- Whether id a comes before id b. Both must have parts.
local function before(a, b)
  local a_ms, a_seq = parts(a)
  local b_ms, b_seq = parts(b)
  return shorter(a_ms, b_ms) or (a_ms == b_ms and shorter(a_seq, b_seq))
end

-- The id right after this one, counting in decimal digits.
local function after(id)
  local ms, seq = parts(id)
  local head, nines = string.match(seq, '^(%d-)(9*)$')
  if head == '' then
    head = '1'
  else
    head = string.sub(head, 1, -2) .. string.format('%d', tonumber(string.sub(head, -1)) + 1)
  end
  return ms .. '-' .. head .. string.rep('0', #nines)
end

-- The id of the last message ever added, '0-0' where the stream does not exist.
local function last_generated(stream)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  if info.err then return '0-0' end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
  return '0-0'
end

-- Calls `visit(id, fields)` for each entry behind `last`, up to `most` of them; no further once their
-- contents have come to `budget` bytes. In steps that double while what is left of the budget has room for them by the largest
-- entry so far, so that Redis holds little more than the budget at a time. Returns how many there were, the last one's id, and
-- whether that was all.
local function each_entry(stream, last, most, budget, visit)
  local LONGEST = 256
  local step, count, largest = 16, 0, 1
  while count < most do
    step = math.min(step, most - count)
    local entries = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', step)
    for i = 1, #entries do
      local entry = entries[i]
      local fields, bytes = entry[2], 0
      for f = 1, #fields do bytes = bytes + #fields[f] end
      last, count, budget = entry[1], count + 1, budget - bytes
      if bytes > largest then largest = bytes end
      visit(last, fields)
      if budget <= 0 then return count, last, false end
    end
    if #entries < step then return count, last, true end
    step = math.max(1, math.min(2 * step, LONGEST, math.floor(budget / largest)))
  end
  return count, last, false
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The consumer's note in the registry, decoded; nil where it is not registered.
local function registered(registry, name)
  local note = redis.call('HGET', registry, name)
  if not note then return nil end
  local ok, decoded = pcall(cjson.decode, note)
  if ok and type(decoded) == 'table' then return decoded end
  return {}
end

-- Whether the caller holds the lock. One that has expired is taken again if no other one took it since: a process that was
-- paused, or that could not reach Redis for a while, need not do its work twice for that. `note` is the consumer's, which names
-- the last one who took the lock; a rewind and a release clear that name.
local function owns(lock, note, token, ttl)
  local holder = redis.call('GET', lock)
  if holder then return holder == token end
  if not note or note.paused or note.owner ~= token then return false end
  redis.call('SET', lock, token, 'PX', ttl)
  return true
end

-- The next version: microseconds of this server's clock, above the stored one and above `floor`.
local function next_version(key, floor)
  local version = math.max(now_us(), tonumber(redis.call('GET', key) or '0') + 1, tonumber(floor))
  redis.call('SET', key, string.format('%.0f', version))
  return string.format('%.0f', version)
end

-- Puts the name in the registry, or adds the note's fields to what stands there. A new name that
-- starts at '$' or at an id gets that offset here, so that no message slips in between; '-' gets none.
local function register(registry, offset, stream, name, note, start)
  local known = registered(registry, name)
  local merged = known or {}
  for field, value in pairs(cjson.decode(note)) do merged[field] = value end
  if not known then
    merged.registered_at = math.floor(now_us() / 1000)
    merged.placed = start ~= '-' or nil -- its offset is no sign that it has worked
  end
  redis.call('HSET', registry, name, cjson.encode(merged))
  if known or start == '-' then return not known end
  if start == '$' then start = last_generated(stream) end
  redis.call('SET', offset, start, 'NX')
  return true
end
