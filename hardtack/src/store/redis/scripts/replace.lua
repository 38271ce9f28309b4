-- KEYS: the session, the shard's expiry
-- ARGV: version, now, the new row's first 16 bytes after its tag, last use, idle deadline, its other facts, label's length,
-- label and data, name, prefix of owners
local session, expiry = unpack(KEYS)
local version, now, first, seen, idle, facts, label, rest, name, owners = unpack(ARGV)

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
return 'replaced'
