-- Adds main messages and removes or marks the delay messages that insured them: all or nothing, so that no failover can
-- keep the one and lose the other.
-- KEYS: X, X.delay [, registry of X [, registry of X.delay]]   (the first: if the consumers decide, or with entries of several
--       messages; the second: with both)
-- ARGV: a letter for each entry to be added ('o' of one message, 's' of several), mark, '1' if the consumers decide or '0', '1' if
--       the messages have delay messages or '0', the trace of the writer or '', the entries, then for each entry of delay messages that may go: its id, and how
--       many of its messages were announced by now
-- -> ids of the main entries: of one for each message if some consumer reads no packs
-- If the consumers decide: if none of them passes over repeats the delay messages stay; if all do they go; else a marked message
-- comes in the place of each. Otherwise they go. An entry stays if it has other messages, which it insures.
redis.call('XLEN', KEYS[2]) -- fails if it is no stream, before anything is added
local kinds, mark, wanted, insured, ids = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1', {}
local trace, packs, last = ARGV[5], string.find(kinds, 's', 1, true), 5 + #kinds
local whole = packs and read_packs(KEYS[3])
for i = 6, last do add_entry(KEYS[1], string.byte(kinds, i - 5), ARGV[i], whole, ids, trace) end
local skip, want = 1, 0
if wanted then
  skip = 0
  for _, note in ipairs(redis.call('HVALS', KEYS[3])) do
    local ok, decoded = pcall(cjson.decode, note)
    if ok and type(decoded) == 'table' and decoded.skips_repeats then skip = skip + 1 else want = want + 1 end
  end
end
if skip == 0 then return ids end
for i = last + 1, #ARGV, 2 do
  local entry = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  if entry and messages_in(entry[2]) <= tonumber(ARGV[i + 1]) then redis.call('XDEL', KEYS[2], ARGV[i]) end
end
if want > 0 and insured then
  whole = packs and read_packs(KEYS[4])
  for i = 6, last do
    local marked = mark .. string.gsub(ARGV[i], '\n', '\n' .. mark)
    add_entry(KEYS[2], string.byte(kinds, i - 5), marked, whole, {})
  end
end
return ids
