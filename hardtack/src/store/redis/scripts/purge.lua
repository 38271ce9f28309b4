-- KEYS: the shard's order, its expiry, its news, what was published
-- ARGV: now, how many to remove, how many to look at, prefix of sessions, prefix of owners
local order, expiry, news, published = unpack(KEYS)
local now, most, looks, sessions, owners = unpack(ARGV)
most, looks = tonumber(most), tonumber(looks)

-- What never ends has the score 2^53, which never comes.
local limit = math.min(tonumber(score(now)), 9007199254740991)
local until_now = string.format('%.0f', limit)
local due = redis.call('ZRANGE', expiry, '-inf', until_now, 'BYSCORE', 'LIMIT', 0, looks)
local removed = 0
for at, entry in ipairs(due) do
  if removed == most then return {removed, 1} end
  local name, ends = string.sub(entry, 2), nil
  if string.sub(entry, 1, 1) == 's' then
    local there = head(sessions .. name)
    if is_row(there) then
      ends = expiry_of(there)
      if not above(ends, now) and owner_of(there) ~= '' then redis.call('HDEL', owners .. owner_of(there), name) end
    elseif there ~= '' then
      ends = string.sub(there, 2, 9)
    end
    if not ends or not above(ends, now) then
      redis.call('DEL', sessions .. name)
      redis.call('ZREM', order, name)
      ends = nil
    end
  else
    local epoch = redis.call('HGET', owners .. name, 'e')
    ends = epoch and string.sub(epoch, 9)
    if ends and not above(ends, now) then
      redis.call('HDEL', owners .. name, 'e')
      ends = nil
    end
  end
  if ends then
    redis.call('ZADD', expiry, score(ends), entry)
  else
    redis.call('ZREM', expiry, entry)
    removed = removed + 1
  end
end

local over = redis.call('ZRANGE', published, '-inf', until_now, 'BYSCORE', 'LIMIT', 0, most - removed)
for _, told in ipairs(over) do redis.call('ZREM', published, told) end
redis.call('XTRIM', news, 'MINID', '~', string.format('%.0f', (redis.call('TIME')[1] - KEPT) * 1000))
removed = removed + #over
return {removed, (#due == looks or removed == most) and 1 or 0}
