-- Who holds a lock. One that stands for longer than its holder asked for is cut, as a standby does it.
-- KEYS: lock
-- -> {token, ms by which it was cut}; '' for a lock that is free
local holder = redis.call('GET', KEYS[1])
if not holder then return {'', 0} end
local _, cut = remaining(KEYS[1], holder)
return {holder, cut}
