-- Adds main messages and removes or marks the delay messages that insured them: all or nothing, so that no failover can
-- keep the one and lose the other.
-- KEYS: X, X.delay [, registry]
-- ARGV: number of payloads, mark, the payloads, then the ids of the delay messages
-- -> ids of the main messages
-- With a registry the consumers decide: if none of them passes over repeats the delay messages stay; if all do they go; else
-- a marked message comes in the place of each. Without one they go.
redis.call('XLEN', KEYS[2]) -- fails if it is no stream, before anything is added
local payloads, mark, ids = tonumber(ARGV[1]), ARGV[2], {}
local last = payloads + 2
for i = 3, last do ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'payload', ARGV[i]) end
local skip, want = 1, 0
if KEYS[3] then
  skip = 0
  for _, note in ipairs(redis.call('HVALS', KEYS[3])) do
    local ok, decoded = pcall(cjson.decode, note)
    if ok and type(decoded) == 'table' and decoded.skips_repeats then skip = skip + 1 else want = want + 1 end
  end
end
if skip == 0 then return ids end
for i = last + 1, #ARGV do redis.call('XDEL', KEYS[2], ARGV[i]) end
if want > 0 and #ARGV > last then
  for i = 3, last do redis.call('XADD', KEYS[2], '*', 'payload', mark .. ARGV[i]) end
end
return ids
