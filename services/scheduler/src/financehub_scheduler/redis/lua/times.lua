-- Precedes every script: number formatting as in Redis's storage, and the Redis clock.

local function integer(number) return string.format('%.0f', number) end
local function seconds(milliseconds) return string.format('%.3f', milliseconds / 1000) end
-- Unix milliseconds.
local function redis_time()
  local time = redis.call('time')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

