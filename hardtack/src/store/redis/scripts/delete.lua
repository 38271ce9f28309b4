-- KEYS: the session, the shard's order, its expiry, its news, their facts
-- ARGV: name, until, now, prefix of owners, channel
local session, order, expiry, news, facts = unpack(KEYS)
local name, untl, now, owners, channel = unpack(ARGV)

local old = head(session)
if old ~= '' and not is_row(old) then
  if above(untl, string.sub(old, 2, 9)) then
    redis.call('SET', session, TOMBSTONE .. untl, 'KEEPTTL')
    redis.call('ZADD', expiry, score(untl), 's' .. name)
    keep_for(session, lifetime(untl, now))
  end
  return 0
end
local owner = old ~= '' and owner_of(old) or ''
if owner ~= '' then redis.call('HDEL', owners .. owner, name) end
bury(session, name, untl, now, order, expiry)
if old == '' then return 0 end
tell(news, facts, channel, (owner ~= '' and 'Eo' or 'Ea') .. name)
return 1
