-- A host's heartbeat; tells which hosts of the group live, this one included.
-- KEYS: hosts (sorted set: host to the time in ms at which its heartbeat lapses)
-- ARGV: host, lifetime_ms
-- -> {host, ms until its heartbeat lapses, host, …}
local now = math.floor(now_us() / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- One that is to live for far longer than any was given wrote that before the clock stepped back. If it lives, it writes again.
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + 10 * ARGV[2]), '+inf')
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])))
local hosts = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #hosts, 2 do hosts[i] = string.format('%.0f', hosts[i] - now) end
return hosts
