-- Notes what runs a consumer, and tells if something else was noted before.
-- KEYS: registry
-- ARGV: name, identity ('' clears what is noted), '1' given by the application or '0' derived
-- -> {} the same as before, or nothing was noted | {identity noted before, '1' refused or '0' replaced} | false: no such consumer
local note = registered(KEYS[1], ARGV[1])
if not note then return false end
local before, given = note.identity, ARGV[3] == '1'
local other = before and before ~= ARGV[2]
if ARGV[2] ~= '' and other and note.identity_given and given then return {before, '1'} end
if before ~= ARGV[2] or (note.identity_given or false) ~= given then
  pass_when_full(KEYS[1])
  note.identity, note.identity_given = ARGV[2] ~= '' and ARGV[2] or nil, given or nil
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(note))
end
if other and ARGV[2] ~= '' then return {before, '0'} end
return {}
