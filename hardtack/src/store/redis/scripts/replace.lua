-- KEYS: the session, the shard's expiry, its news, their facts
-- ARGV: version, now, the new row's first 16 bytes after its tag, last use, idle deadline, its other facts, label's length,
-- label and data, name, prefix of owners, channel
local session, expiry, news, about = unpack(KEYS)
local version, now, first, seen, idle, facts, label, rest, name, owners, channel = unpack(ARGV)

local old = head(session)
if not is_row(old) or is_expired(old, now) then return 'gone' end
if version_of(old) ~= version then return 'conflict' end

local absolute = string.sub(first, 9)
local owner = owner_of(old)
local row = table.concat({
  ROW, first, later(seen, seen_of(old)), later(idle, earlier(idle_of(old), absolute)), epoch_of(old), facts,
  string.sub(old, 71, 72), label, owner, rest,
})
local keep = lifetime(absolute, now)
redis.call('SET', session, row, 'PX', keep)
-- The index may name an earlier time than the row's: a purge then looks and moves it. Never a later one.
if above(expiry_of(old), expiry_of(row)) then redis.call('ZADD', expiry, score(expiry_of(row)), 's' .. name) end
if owner ~= '' and above(absolute, absolute_of(old)) then keep_for(owners .. owner, keep) end
local before, after = struct.unpack('>I4', generation_of(old)), struct.unpack('>I4', generation_of(row))
if after > before then tell(news, about, channel, 'R' .. name .. generation_of(row)) end
return 'replaced'
