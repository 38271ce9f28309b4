-- KEYS: the session, the shard's order, its expiry
-- ARGV: name, until, now, prefix of owners
local session, order, expiry = unpack(KEYS)
local name, untl, now, owners = unpack(ARGV)

local old = head(session)
if old ~= '' and not is_row(old) then
  if above(untl, string.sub(old, 2, 9)) then
    redis.call('SET', session, TOMBSTONE .. untl, 'KEEPTTL')
    redis.call('ZADD', expiry, score(untl), 's' .. name)
    keep_for(session, lifetime(untl, now))
  end
  return 0
end
if old ~= '' and owner_of(old) ~= '' then redis.call('HDEL', owners .. owner_of(old), name) end
bury(session, name, untl, now, order, expiry)
return old == '' and 0 or 1
