-- What the server says of itself now, and what the last owner of a consumer's lock noted of it.
-- KEYS: registry, offset, version
-- ARGV: name, run id to be noted ('' notes nothing)
-- -> {run id noted before or '', run id now or '', '1' an append-only file is kept or '0' none or '' unknown,
--     offset, or '' if there is none but that of its registration, last version issued or '', ms when the consumer was registered or ''}
local note = registered(KEYS[1], ARGV[1]) or {}
local function says(section, field)
  local info = redis.pcall('INFO', section)
  if type(info) ~= 'string' then return '' end -- the user may not ask
  return string.match(info, '\n' .. field .. ':([^\r\n]*)') or ''
end
local before = note.server or ''
if ARGV[2] ~= '' and before ~= ARGV[2] and note.registered_at then
  pass_when_full(KEYS[1])
  note.server = ARGV[2]
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(note))
end
local registered_at = note.registered_at and string.format('%.0f', note.registered_at) or ''
local offset, version = redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[3]) or ''
if note.placed and (version == '' or tonumber(version) / 1000 < note.registered_at) then offset = '' end
return {before, says('server', 'run_id'), says('persistence', 'aof_enabled'),
  offset, version, registered_at}
