-- Makes a consumer known, so that trimming waits for it.
-- KEYS: registry, offset, stream
-- ARGV: name, note (JSON object), start ('-' earliest, '$' latest, or an id)
-- -> 1 newly registered, 0 known before
return register(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3]) and 1 or 0
