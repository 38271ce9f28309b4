-- KEYS: for each of some shards its news and their facts
-- ARGV: the most of one shard, then for each shard after which of its news
-- Answers the server's time and for each shard: when its feed began, how many news it was ever told, ids, news.
local most, time = ARGV[1], redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local answer = {now}
for shard = 1, #KEYS / 2 do
  local news, facts, after = KEYS[2 * shard - 1], KEYS[2 * shard], ARGV[1 + shard]
  redis.call('HSETNX', facts, 'born', now)
  local about = redis.call('HMGET', facts, 'born', 'told')
  local ids, told = {}, {}
  for at, entry in ipairs(redis.call('XRANGE', news, after, '+', 'COUNT', most)) do
    ids[at], told[at] = entry[1], entry[2][2]
  end
  answer[1 + shard] = {about[1], about[2] or '0', ids[#ids] or '', told}
end
return answer
