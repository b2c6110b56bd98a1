-- Precedes every script: number formatting as in Redis's storage, the Redis clock, and what to do with values that
-- another program has changed.

local function integer(number) return string.format('%d', number) end
local function seconds(milliseconds) return string.format('%.3f', milliseconds / 1000) end
-- Unix milliseconds.
local function redis_time()
  local time = redis.call('time')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Redis does not undo the writes of a script that fails. Each script therefore calls this before its first write. If a
-- key has another type, the script fails here, and the scheduler sets the key aside and runs the script again.
local function check_types()
  for _, key in ipairs({keys.high_water_marks, keys.names, keys.buffered, keys.next_runs, keys.triggers, keys.failing,
    keys.paused}) do
    redis.call('hlen', key)
  end
  redis.call('zcard', keys.schedules)
  redis.call('scard', keys.changed)
end
-- Returns a function of a text that computes each result once. Converting a number takes Lua ten times as long as looking
-- it up, and schedules that are due at the same time have the same times.
local function memoized(compute)
  local results = setmetatable({}, {__index = function(results, text)
    local result = compute(text)
    results[text] = result
    return result
  end})
  return function(text) return results[text or ''] end
end
-- A number, or 0 if it is missing or damaged.
local number = memoized(function(text)
  local value = tonumber(text) or 0
  return value == value and value < 1e15 and value > -1e15 and value or 0
end)
-- A time in seconds, as text, in whole milliseconds.
local milliseconds = memoized(function(text) return math.floor(number(text) * 1000 + 0.5) end)
-- The latest due time (ms) that may have been stored. It is a year ahead, because the clock of Redis may have been set
-- back.
local function latest_time(redis_now, ahead_limit) return redis_now + ahead_limit + 366 * 86400 * 1000 end
-- Returns a high-water mark (ms), or another one if it cannot be right, because a damaged mark would repeat due times or
-- stop its schedule until then. A mark is never below `last_due` (ms), the newest due time that was enqueued.
local function checked_mark(mark, last_due, otherwise, redis_now, ahead_limit)
  mark = number(mark)
  if last_due > redis_now + ahead_limit then last_due = 0 end
  if mark > 0 and mark >= last_due and mark < latest_time(redis_now, ahead_limit) then return mark end
  return math.max(otherwise, last_due)
end
-- Adds to a counter. A damaged counter starts again.
local function increase(key, name, by)
  local reply = redis.pcall('hincrby', key, name, by)
  if type(reply) == 'table' then redis.call('hset', key, name, by) end
end
-- Returns the fields of a hash; all of them are missing if the key has another type.
local function fields_of(key, ...)
  local reply = redis.pcall('hmget', key, ...)
  return reply.err and {} or reply
end

