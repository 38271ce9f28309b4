-- KEYS: the owner
-- ARGV: prefix of sessions
local found = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local row = #name == 16 and redis.call('GET', ARGV[1] .. name)
  if row and is_row(row) then
    found[#found + 1] = name
    found[#found + 1] = row
  end
end
return found
