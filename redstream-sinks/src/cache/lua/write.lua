-- Writes documents, or tombstones of deleted records, each unless its entry has a higher version.
-- KEYS: the entries.
-- ARGV: the version; then for each entry the milliseconds that it lives, and its document ('' for a tombstone).
-- Returns for each entry: '' if it is written, the higher version that it has, or 'WRONGTYPE' if it is no hash.
local version = ARGV[1]

-- Of two decimal numbers without leading zeros: they may be beyond what a double holds.
local function is_higher(a, b)
    if #a ~= #b then
        return #a > #b
    end
    return a > b
end

local answers = {}
for i, key in ipairs(KEYS) do
    local has = redis.pcall('HGET', key, 'version')
    if type(has) == 'table' then
        if not string.find(has.err, 'WRONGTYPE', 1, true) then
            return has
        end
        answers[i] = 'WRONGTYPE'
    elseif has and is_higher(has, version) then
        answers[i] = has
    else
        local ttl, document = ARGV[2 * i], ARGV[2 * i + 1]
        if document == '' then
            redis.call('HSET', key, 'version', version)
            redis.call('HDEL', key, 'document', 'lease')
        else
            redis.call('HSET', key, 'version', version, 'document', document)
            redis.call('HDEL', key, 'lease')
        end
        redis.call('PEXPIRE', key, ttl)
        answers[i] = ''
    end
end
return answers
