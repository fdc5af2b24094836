-- Shared by the scripts; put in front of each of them. Touches no key by itself.

-- An id's two numbers, as decimal strings without leading zeros: exact to 2^64, unlike Lua's doubles.
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

local GREATEST = '18446744073709551615'

-- The number right after this one, counting in decimal digits.
local function successor(number)
  local head, nines = string.match(number, '^(%d-)(9*)$')
  if head == '' then
    head = '1'
  else
    head = string.sub(head, 1, -2) .. string.format('%d', tonumber(string.sub(head, -1)) + 1)
  end
  return head .. string.rep('0', #nines)
end

-- The id right after this one. Behind the last of a millisecond comes the first of the next; behind the very last there is
-- none, and it stands for itself.
local function after(id)
  local ms, seq = parts(id)
  if seq ~= GREATEST then return ms .. '-' .. successor(seq) end
  if ms ~= GREATEST then return successor(ms) .. '-0' end
  return id
end

-- Whether no id can come after this one: Redis refuses to read behind it.
local function is_greatest(id)
  local ms, seq = parts(id)
  return ms == GREATEST and seq == GREATEST
end

-- A Redis that has reached `maxmemory` refuses a script if its first write may take memory, and lets all of it pass if that
-- one may not. What keeps consumers at work, or frees memory, must pass: so each script begins with a write that is never
-- refused. This is one that does nothing, since no consumer's name is empty.
local function pass_when_full(registry)
  redis.call('HDEL', registry, '')
end

-- The id of the last message ever added, and how many groups (XGROUP) the stream has; '0-0' and 0 if it does not exist. Any
-- other failure is one: an id that is read too low would set consumers back to the stream's beginning.
local function last_generated(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0', 0 end
  local info, last, groups = redis.call('XINFO', 'STREAM', stream), nil, 0
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'groups' then groups = info[i + 1] end
  end
  if not last then error('XINFO STREAM tells no last-generated-id') end
  return last, groups
end

-- Calls `visit(id, fields)`, which returns how many messages that is, for each entry behind `last`, until there are `most`
-- messages; no further once their contents have come to `budget` bytes. In steps that double while what is left of the budget
-- has room for them by the largest entry so far, and `most` by the fullest one, so that Redis holds little more than the budget
-- at a time. Returns how many messages there were, the last entry's id, and whether that was all.
local function each_entry(stream, last, most, budget, visit)
  local LONGEST = 256
  local step, count, largest, fullest = 16, 0, 1, 1
  if is_greatest(last) then return 0, last, true end
  while count < most do
    step = math.min(step, math.ceil((most - count) / fullest))
    local entries = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', step)
    for i = 1, #entries do
      local entry = entries[i]
      local fields, bytes = entry[2], 0
      for f = 1, #fields do bytes = bytes + #fields[f] end
      local messages = visit(entry[1], fields)
      last, count, budget = entry[1], count + messages, budget - bytes
      if bytes > largest then largest = bytes end
      if messages > fullest then fullest = messages end
      if budget <= 0 or count >= most then return count, last, false end
    end
    if #entries < step then return count, last, true end
    step = math.max(1, math.min(2 * step, LONGEST, math.floor(budget / largest)))
  end
  return count, last, false
end

-- For how many ms a lock will stand, and by how many that was cut. A token ends with the TTL that its holder asks for. A lock
-- that has more left than that outlived a step of the clock into the past, and would stand for as long as that step was. It
-- gets what a renewal would give it: a holder that lives renews it in time, and a dead one's falls free.
local function remaining(lock, holder)
  local left, given = redis.call('PTTL', lock), tonumber(string.match(holder, '/(%d+)$'))
  if not given or left <= given then return left, 0 end
  redis.call('PEXPIRE', lock, given)
  return given, left - given
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The consumer's note in the registry, decoded; nil if it is not registered.
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
  redis.call('DEL', lock) -- for a full Redis: a script whose first write can take no memory passes
  redis.call('SET', lock, token, 'PX', ttl)
  return true
end

-- The next version: microseconds of this server's clock, above the stored one and above `floor`.
local function next_version(key, floor)
  local version = math.max(now_us(), tonumber(redis.call('GET', key) or '0') + 1, tonumber(floor))
  redis.call('SET', key, string.format('%.0f', version))
  return string.format('%.0f', version)
end

-- The offset of a consumer that begins at `start`: nil for '-', the earliest message; the stream's last id for '$' and for
-- an id that no message has yet, since an offset beyond the stream's end stands for lost messages.
local function place(stream, start)
  if start == '-' then return nil end
  local last = last_generated(stream)
  if start == '$' or before(last, start) then return last end
  return start
end

-- Puts the name in the registry, or adds the note's fields to what stands there. A new name gets its offset here, so that no
-- message slips in between.
local function register(registry, offset, stream, name, note, start)
  pass_when_full(registry)
  local known = registered(registry, name)
  local merged = known or {}
  for field, value in pairs(cjson.decode(note)) do merged[field] = value end
  if not known then
    merged.registered_at = math.floor(now_us() / 1000)
    merged.placed = start ~= '-' or nil -- its offset is no sign that it has worked
  end
  redis.call('HSET', registry, name, cjson.encode(merged))
  if known then return false end
  local at = place(stream, start)
  if at then redis.call('SET', offset, at, 'NX') end
  return true
end
