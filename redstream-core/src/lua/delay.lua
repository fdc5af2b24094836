-- Moves delay messages that were read, and are due, to their main stream. They are always the oldest, so trimming removes
-- exactly them. What was read goes back as arguments: for Redis that is half the work of reading it here, entry by entry.
-- An entry without a payload becomes a dead letter, with the beginning of what it holds.
-- KEYS: lock, registry, offset, X.delay, X [, dead letters] [, registry of X]   (if there is an entry without a payload; if there
--       is an entry of several messages to add)
-- ARGV: token, ttl_ms, name, delay_ms, id of the last one to move, how many entries have no payload, a letter for each entry to
--       be added ('o' of one message, 's' of several), the ids of those without a payload, the entries
-- -> {'moved', 1, or 0 if the last one is not due, now_ms, ms until the next is due or -1}
--    | {'lost'} | {'forgotten'} | {'paused'}
local note = registered(KEYS[2], ARGV[3])
if not owns(KEYS[1], note, ARGV[1], ARGV[2]) then return {'lost'} end
if not note then return {'forgotten'} end
if note.paused then return {'paused'} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local now, delay, last = math.floor(now_us() / 1000), tonumber(ARGV[4]), ARGV[5]
local moved = 0
if tonumber((parts(last))) + delay <= now then
  moved = 1
  -- Local, since they are looked up for every message.
  local payloads, call, main, arguments, kinds = 8 + tonumber(ARGV[6]), redis.call, KEYS[5], ARGV, ARGV[7]
  call('XLEN', main) -- fails if it is no stream, before anything is added
  for i = 8, payloads - 1 do
    local entry, holds = call('XRANGE', KEYS[4], arguments[i], arguments[i])[1], {}
    local fields = entry and entry[2] or {}
    for f = 1, math.min(#fields, 16), 2 do
      holds[#holds + 1] = string.sub(fields[f], 1, 64) .. '=' .. string.sub(fields[f + 1], 1, 64)
    end
    if entry then
      call('XADD', KEYS[6], '*', 'payload', '', 'message_id', arguments[i], 'error', 'the delay message has no field `payload`, but '
        .. math.floor(#fields / 2) .. ' others: ' .. table.concat(holds, ', '), 'attempts', '1')
    end
  end
  if string.find(kinds, 's', 1, true) then
    local whole, ids = read_packs(KEYS[#KEYS]), {}
    for i = payloads, #arguments do add_entry(main, string.byte(kinds, i - payloads + 1), arguments[i], whole, ids) end
  else
    for i = payloads, #arguments do call('XADD', main, '*', 'payload', arguments[i]) end
  end
  if last ~= '0-0' then
    -- Some servers refuse to load a stream if XTRIM emptied a node in which XDEL had removed the last entry (redis#15808). So the
    -- last one that is there goes by XDEL, which frees a node that it empties.
    local newest = call('XREVRANGE', KEYS[4], last, '-', 'COUNT', 1)[1]
    if newest then
      call('XTRIM', KEYS[4], 'MINID', '=', newest[1])
      call('XDEL', KEYS[4], newest[1])
    end
    redis.call('SET', KEYS[3], last)
  end
end
local wait, head = -1, redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)
if head[1] then wait = math.max(0, tonumber((parts(head[1][1]))) + delay - now) end
return {'moved', moved, string.format('%.0f', now), wait}
