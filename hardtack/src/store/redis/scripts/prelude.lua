-- Numbers are 8 bytes, the highest first, because a number of Lua's is exact only up to 2^53 and its strings
-- compare by the locale. `rows.rs` has the layout of a row.
local ROW, TOMBSTONE = '\1', '\2'
local HEAD, LONGEST = 73, 73 + 512

local function above(a, b)
  local a_high, a_low = struct.unpack('>I4I4', a)
  local b_high, b_low = struct.unpack('>I4I4', b)
  return a_high > b_high or (a_high == b_high and a_low > b_low)
end

local function later(a, b)
  return above(b, a) and b or a
end

local function earlier(a, b)
  return above(a, b) and b or a
end

-- For the index of what ends when. What never ends has the highest score.
local function score(time)
  local high, low = struct.unpack('>I4I4', time)
  return string.format('%.0f', math.min(high * 4294967296 + low, 9007199254740992))
end

local function version_of(row) return string.sub(row, 2, 9) end
local function absolute_of(row) return string.sub(row, 10, 17) end
local function seen_of(row) return string.sub(row, 18, 25) end
local function idle_of(row) return string.sub(row, 26, 33) end
local function epoch_of(row) return string.sub(row, 34, 41) end
local function created_of(row) return string.sub(row, 42, 49) end

local function owner_of(row)
  return string.sub(row, HEAD + 1, HEAD + struct.unpack('>I2', row, 71))
end

local function expiry_of(row)
  return earlier(idle_of(row), absolute_of(row))
end

local function generation_of(row) return string.sub(row, 66, 69) end

local function is_expired(row, now)
  return not above(expiry_of(row), now)
end

-- What is under a key, without label and data. An empty string when nothing is.
local function head(key)
  return redis.call('GETRANGE', key, 0, LONGEST - 1)
end

local function is_row(value)
  return string.sub(value, 1, 1) == ROW
end

-- How long Redis keeps what ends then: a day longer, because its clock is not the callers', and a purge is to find it.
-- It is counted from the caller's time, and Redis takes no time beyond 2^63.
local function lifetime(untl, now)
  local until_high, until_low = struct.unpack('>I4I4', untl)
  local now_high, now_low = struct.unpack('>I4I4', now)
  local left = (until_high - now_high) * 4294967296 + (until_low - now_low)
  return string.format('%.0f', math.min(math.max(left, 0) + 86400000, 3e13))
end

-- Puts a tombstone in the place of a row, an older tombstone or nothing.
local function bury(key, name, untl, now, order, expiry)
  redis.call('SET', key, TOMBSTONE .. untl, 'PX', lifetime(untl, now))
  redis.call('ZADD', expiry, score(untl), 's' .. name)
  redis.call('ZREM', order, name)
end
