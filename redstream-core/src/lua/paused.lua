-- KEYS: registry, lock
-- ARGV: name
-- -> {1 paused or 0, 1 its lock is held or 0}
local note = registered(KEYS[1], ARGV[1])
return {note and note.paused and 1 or 0, redis.call('EXISTS', KEYS[2])}
