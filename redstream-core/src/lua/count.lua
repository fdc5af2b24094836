-- Counts messages behind an id without sending them anywhere; in steps, so as not to hold up Redis.
-- KEYS: stream
-- ARGV: id, most
-- -> {messages counted, id of the last one counted}
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return {#entries, #entries > 0 and entries[#entries][1] or ARGV[1]}
