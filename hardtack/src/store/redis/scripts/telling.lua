-- A lifetime only grows.
local function keep_for(key, milliseconds)
  if redis.call('PEXPIRE', key, milliseconds, 'GT') == 0 and redis.call('PTTL', key) == -1 then
    redis.call('PEXPIRE', key, milliseconds)
  end
end

-- News are kept for half an hour of the server's time, and a minute more.
local KEPT = 31 * 60

-- Writes news down, in the step of what they tell of, and wakes who waits for them. Where the user of the server may
-- not publish, readers look for themselves.
local function tell(news, facts, channel, what)
  local time = redis.call('TIME')
  redis.call('HSETNX', facts, 'born', string.format('%.0f', time[1] * 1000000 + time[2]))
  redis.call('HINCRBY', facts, 'told', 1)
  redis.call('XADD', news, 'MINID', '~', string.format('%.0f', (time[1] - KEPT) * 1000), '*', 't', what)
  redis.pcall('PUBLISH', channel, '')
end

