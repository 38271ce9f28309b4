-- KEYS: the owner, the shard's order, its expiry, its news, their facts
-- ARGV: epoch, name of the one to spare, until, now, prefix of sessions, owner, the 8 bytes that stand for it, channel
local owner, order, expiry, news, facts = unpack(KEYS)
local epoch, spared, untl, now, prefix, who, whom, channel = unpack(ARGV)

-- Of two endings at once the later one's epoch may come first.
local known = redis.call('HGET', owner, 'e')
local highest, longest = epoch, untl
if known then highest, longest = later(epoch, string.sub(known, 1, 8)), later(untl, string.sub(known, 9)) end
redis.call('HSET', owner, 'e', highest .. longest)
redis.call('ZADD', expiry, score(longest), 'o' .. who)
keep_for(owner, lifetime(longest, now))

for _, name in ipairs(redis.call('HKEYS', owner)) do
  if #name == 16 then
    local there = head(prefix .. name)
    if name == spared and is_row(there) then
      redis.call('SETRANGE', prefix .. name, 33, highest)
    else
      redis.call('HDEL', owner, name)
      if is_row(there) then bury(prefix .. name, name, untl, now, order, expiry) end
    end
  end
end
tell(news, facts, channel, 'O' .. whom .. highest)
return known and string.sub(known, 1, 8) or ''
