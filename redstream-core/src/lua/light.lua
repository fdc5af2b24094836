-- The id up to which any `count` entries of the stream are certain to stay below the budget. If the whole stream, less
-- the least that all the others take, is below it, that is the last id; else, or if the user may not ask, none.
-- KEYS: stream
-- ARGV: count, budget in bytes
-- -> id, '0-0' if nothing is certain
local LEAST = 10 -- flags, id, number of fields and one value, two bytes each
local memory = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', '0')
if type(memory) ~= 'number' then return '0-0' end
local others = math.max(0, redis.call('XLEN', KEYS[1]) - tonumber(ARGV[1]))
if memory - others * LEAST > tonumber(ARGV[2]) then return '0-0' end
return last_generated(KEYS[1])
