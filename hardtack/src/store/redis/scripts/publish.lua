-- KEYS: what was published, the shard's news, their facts
-- ARGV: until, now, channel, then what to tell
local published, news, facts = unpack(KEYS)
local untl, now, channel = unpack(ARGV)
for at = 4, #ARGV do
  redis.call('ZADD', published, 'GT', score(untl), ARGV[at])
  tell(news, facts, channel, ARGV[at])
end
keep_for(published, lifetime(untl, now))
