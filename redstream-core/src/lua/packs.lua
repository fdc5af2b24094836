-- Shared by the scripts that look into entries; put behind the prelude.

-- How many messages an entry holds: the lines of its field `payloads`, else one.
local function messages_in(fields)
  for f = 1, #fields, 2 do
    if fields[f] == 'payload' then return 1 end
    if fields[f] == 'payloads' then
      local count, at = 1, string.find(fields[f + 1], '\n', 1, true)
      while at do count, at = count + 1, string.find(fields[f + 1], '\n', at + 1, true) end
      return count
    end
  end
  return 1
end

-- Whether a registry has consumers, and each of them reads entries of several messages. One whose lock was taken by an earlier
-- version since it noted that does not.
local function read_packs(registry)
  local notes = redis.call('HVALS', registry)
  for i = 1, #notes do
    local ok, note = pcall(cjson.decode, notes[i])
    if not ok or type(note) ~= 'table' or note.packs ~= 1 then return false end
    if note.owner and note.owner ~= note.packs_owner then return false end
  end
  return #notes > 0
end

local SEVERAL = string.byte('s')

-- Adds an entry, with the trace of its writer if there is one.
local function add(stream, field, text, trace)
  if trace and trace ~= '' then return redis.call('XADD', stream, '*', 'traceparent', trace, field, text) end
  return redis.call('XADD', stream, '*', field, text)
end

-- Adds an entry of one message or, if its kind is SEVERAL, of one per line. If it cannot be read as a whole, its messages get
-- an entry each. The ids of what is added go to `ids`.
local function add_entry(stream, kind, text, whole, ids, trace)
  if kind ~= SEVERAL then
    ids[#ids + 1] = add(stream, 'payload', text, trace)
  elseif whole then
    ids[#ids + 1] = add(stream, 'payloads', text, trace)
  else
    for line in string.gmatch(text .. '\n', '([^\n]*)\n') do
      ids[#ids + 1] = add(stream, 'payload', line, trace)
    end
  end
end
