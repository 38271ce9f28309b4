-- KEYS: the session
-- ARGV: last use, idle deadline
local old = head(KEYS[1])
if not is_row(old) then return end
local seen = later(ARGV[1], seen_of(old))
local idle = later(idle_of(old), earlier(ARGV[2], absolute_of(old)))
if seen ~= seen_of(old) or idle ~= idle_of(old) then redis.call('SETRANGE', KEYS[1], 17, seen .. idle) end
