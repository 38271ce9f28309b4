-- KEYS: the session, the shard's expiry
-- ARGV: what is new in one piece (now, the version that is to be there, then the row from its version to its idle
-- deadline and from `created` to the owner's length, and the label's length), label and data, name, what the shard's
-- keys begin with
-- This is the script of nearly all writes: it takes values apart once, and copies bytes instead of numbers. Times are
-- compared as Lua's numbers, which are exact for the next 285,000 years.
local session, expiry = KEYS[1], KEYS[2]
local new, rest, name, shard = unpack(ARGV)

local old = redis.call('GETRANGE', session, 0, 584)
if string.byte(old) ~= 1 then return 'gone' end
local absolute, seen, idle = struct.unpack('>I8I8I8', old, 10)
local now = struct.unpack('>I8', new)
if now >= absolute or now >= idle then return 'gone' end
if string.sub(old, 2, 9) ~= string.sub(new, 9, 16) then return 'conflict' end

local new_absolute, new_seen, new_idle = struct.unpack('>I8I8I8', new, 25)
local seen_bytes = seen > new_seen and string.sub(old, 18, 25) or string.sub(new, 33, 40)
local idle_bytes, ends = string.sub(new, 41, 48), new_idle
if idle > new_idle and new_absolute > new_idle then
  -- The later use of another request, though not beyond the new end.
  if idle > new_absolute then
    idle_bytes, ends = string.sub(new, 25, 32), new_absolute
  else
    idle_bytes, ends = string.sub(old, 26, 33), idle
  end
end
ends = math.min(ends, new_absolute)

local owned = 73 + struct.unpack('>I2', old, 71)
local lifetime = math.min(math.max(new_absolute - now, 0) + 86400000, 3e13)
local row = '\1' .. string.sub(new, 17, 32) .. seen_bytes .. idle_bytes .. string.sub(old, 34, 41)
  .. string.sub(new, 49, 77) .. string.sub(old, 71, 72) .. string.sub(new, 78, 78)
  .. string.sub(old, 74, owned) .. rest
redis.call('SET', session, row, 'PX', lifetime)
-- The index may name an earlier time than the row's: a purge then looks and moves it. Never a later one.
if ends < math.min(idle, absolute) then redis.call('ZADD', expiry, math.min(ends, 9007199254740992), 's' .. name) end
if owned > 73 and new_absolute > absolute then keep_for(shard .. ':o:' .. string.sub(old, 74, owned), lifetime) end
if struct.unpack('>I4', new, 73) > struct.unpack('>I4', old, 66) then
  tell(shard .. ':n', shard .. ':f', string.match(shard, '^(.*:){') .. 'news', 'R' .. name .. string.sub(new, 73, 76))
end
return 'replaced'
