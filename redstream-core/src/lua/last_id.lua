-- KEYS: stream
-- -> the id of the last message ever added, '0-0' if there was none
return last_generated(KEYS[1])
