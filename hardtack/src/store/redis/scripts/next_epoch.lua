-- KEYS: the counter of epochs
-- A script and not the command alone, which a full server refuses.
return redis.call('INCR', KEYS[1])
