-- KEYS: the counter of epochs
-- ARGV: what it must not be below, in decimal digits
-- Digits are compared by their number first: a number of Lua's is exact only up to 2^53.
local there, least = redis.call('GET', KEYS[1]) or '0', ARGV[1]
if #there > #least then return there end
if #there == #least then
  for at = 1, #least do
    local a, b = string.byte(there, at), string.byte(least, at)
    if a > b then return there end
    if a < b then break end
  end
end
redis.call('SET', KEYS[1], least)
return least
