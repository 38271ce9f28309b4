-- KEYS: the session, the shard's order, its expiry, and for an owner: the owner, the shard's news, their facts
-- ARGV: name, row, now, and for an owner: the admission's epoch, most or nothing, beyond, prefix of sessions, channel
local session, order, expiry, owner, news, facts = unpack(KEYS)
local name, row, now, epoch, most, beyond, prefix, channel = unpack(ARGV)
local keep = lifetime(absolute_of(row), now)

if redis.call('EXISTS', session) == 1 then return 'exists' end
if owner then
  local ended = redis.call('HGET', owner, 'e')
  if ended and above(string.sub(ended, 1, 8), epoch) then return {'ended', string.sub(ended, 1, 8)} end

  if most ~= '' then
    local live = {}
    for _, other in ipairs(redis.call('HKEYS', owner)) do
      if #other == 16 then
        local there = head(prefix .. other)
        if not is_row(there) then
          redis.call('HDEL', owner, other)
        elseif not is_expired(there, now) then
          table.insert(live, {at = created_of(there), name = other, ends = absolute_of(there)})
        end
      end
    end
    local excess = #live + 1 - most
    if excess > 0 and beyond == 'refuse' then return 'limit' end
    if excess > 0 then
      table.sort(live, function(a, b)
        if a.at ~= b.at then return above(b.at, a.at) end
        local a_first, b_first = string.sub(a.name, 1, 8), string.sub(b.name, 1, 8)
        if a_first ~= b_first then return above(b_first, a_first) end
        return above(string.sub(b.name, 9), string.sub(a.name, 9))
      end)
      for at = 1, excess do
        local oldest = live[at]
        redis.call('HDEL', owner, oldest.name)
        bury(prefix .. oldest.name, oldest.name, oldest.ends, now, order, expiry)
        tell(news, facts, channel, 'Eo' .. oldest.name)
      end
    end
  else
    -- Rows whose lifetime is over before a purge saw them leave their names. Two by chance keep an index that only
    -- grows at twice what is there.
    for _, other in ipairs(redis.call('HRANDFIELD', owner, 2)) do
      if #other == 16 and redis.call('EXISTS', prefix .. other) == 0 then redis.call('HDEL', owner, other) end
    end
  end
  redis.call('HSET', owner, name, '')
  keep_for(owner, keep)
end
redis.call('ZADD', order, 0, name)
redis.call('ZADD', expiry, score(expiry_of(row)), 's' .. name)
redis.call('SET', session, row, 'PX', keep)
return 'created'
