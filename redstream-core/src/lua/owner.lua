-- Who holds a lock. One that stands for longer than its holder asked for is cut, as a standby does it.
-- KEYS: lock
-- -> {token, ms until it expires, ms by which that was cut}; '' for a lock that is free
local holder = redis.call('GET', KEYS[1])
if not holder then return {'', 0, 0} end
local left, cut = remaining(KEYS[1], holder)
return {holder, left, cut}
