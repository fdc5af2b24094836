#!lua
-- Writes documents, or tombstones of deleted records, each unless there is a higher version. Without the flag
-- `allow-oom`, a full Redis refuses the whole script before it begins.
-- KEYS: for each document its key, and that of its tombstone.
-- ARGV: the version; the name of the field that has it; the milliseconds that a tombstone lives; the type of documents,
-- 'hash' or 'ReJSON-RL'; then for each document the number of arguments that follow: -1 for a tombstone, which has none,
-- else the names and values of a hash, which may have none, or the JSON.
-- Returns for each document: '' if it is written, the higher version, or '!' and why it was refused.
local version, field, tombstone_ttl, kind = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Of two decimal numbers without leading zeros: they may be beyond what a double holds.
local function is_higher(a, b)
    if #a ~= #b then
        return #a > #b
    end
    return a > b
end

local function version_of(document, tombstone, found)
    if found == 'hash' then
        return redis.call('HGET', document, field)
    elseif found == 'ReJSON-RL' then
        -- `["5"]`, or `[]`.
        local json = redis.call('JSON.GET', document, '$["' .. field .. '"]')
        return json and string.match(json, '%d+')
    end
    return redis.call('GET', tombstone)
end

-- The arguments of one call must fit on Lua's stack.
local function set_hash(document, from, to)
    redis.call('DEL', document)
    redis.call('HSET', document, field, version)
    for at = from, to, 1000 do
        redis.call('HSET', document, unpack(ARGV, at, math.min(at + 999, to)))
    end
end

local answers, at = {}, 5
for i = 1, #KEYS / 2 do
    local document, tombstone = KEYS[2 * i - 1], KEYS[2 * i]
    local count = tonumber(ARGV[at])
    local from, to = at + 1, at + math.max(count, 0)
    at = to + 1
    local found = redis.call('TYPE', document).ok
    if found ~= kind and found ~= 'none' then
        answers[i] = '!the key has a value of the type ' .. found
    else
        local has = version_of(document, tombstone, found)
        if has and is_higher(has, version) then
            answers[i] = has
        elseif count < 0 then
            redis.call('SET', tombstone, version, 'PX', tombstone_ttl)
            redis.call('DEL', document)
            answers[i] = ''
        elseif kind == 'hash' then
            set_hash(document, from, to)
            redis.call('DEL', tombstone)
            answers[i] = ''
        else
            local set = redis.pcall('JSON.SET', document, '$', ARGV[from])
            if type(set) == 'table' and set.err then
                answers[i] = '!' .. set.err
            else
                redis.call('DEL', tombstone)
                answers[i] = ''
            end
        end
    end
end
return answers
