"""The Lua functions that count how many runs of a schedule failed in a row, and that pause it after too many.

They belong to the scripts that record outcomes, so that no run starts between the failure that is one too many and the
pause. A script that contains them begins with `LUA_SCHEDULE_RECORD`.
"""

from financehub_shared.redis import keys
from financehub_shared.redis.lua import lua_key_function, lua_table
from financehub_shared.redis.schedule_record import DEACTIVATED

#: The user of a pause that the scripts add.
PAUSED_BY = "financehub"
#: A larger number of failures in a row is damaged, because no schedule has that many runs.
_LARGEST_COUNT = 1_000_000_000
#: Bytes of an error in the reason of a pause, which has at most `REASON_CHARACTERS` characters. The condition Failing
#: and the run have the whole error.
_ERROR_BYTES = 140

#: Defines `fail_in_a_row(uid, schedule_key, error)`, which counts a failed run and pauses its schedule if
#: `spec.pauseAfterFailures` says so, and `end_failures(uid)`. The limit is read from the spec in the schedule record,
#: which every release writes together with the fingerprint.
LUA_FAILURES = (
    lua_table(
        "failure_keys",
        {"failing": keys.SCHEDULES_FAILING, "paused": keys.SCHEDULES_PAUSED, "buffered": keys.SCHEDULES_BUFFERED},
    )
    + lua_key_function("failure_buffer_key", keys.schedule_buffered)
    + f"local largest_count, error_bytes = {_LARGEST_COUNT}, {_ERROR_BYTES}\n"
    + f"local paused_by, deactivated = '{PAUSED_BY}', '{DEACTIVATED}'\n"
    + """
local function end_failures(uid) redis.call('HDEL', failure_keys.failing, uid) end

-- Adds a failure, and returns the number of failures in a row. A damaged number starts again.
local function count_failure(uid)
  local count = redis.pcall('HINCRBY', failure_keys.failing, uid, 1)
  if type(count) == 'number' and count >= 1 and count <= largest_count then return count end
  local failure = type(count) == 'table' and count.err
  if failure and not string.find(failure, 'not an integer', 1, true) and not string.find(failure, 'overflow', 1, true)
  then
    error(failure, 0)
  end
  redis.call('HSET', failure_keys.failing, uid, 1)
  return 1
end

-- The number of failures after which a spec pauses its schedule, otherwise nil.
local function failure_limit(spec)
  if not spec or not string.find(spec, '"pauseAfterFailures"', 1, true) then return nil end
  local ok, fields = pcall(cjson.decode, spec)
  local limit = ok and type(fields) == 'table' and fields.pauseAfterFailures
  return type(limit) == 'number' and limit >= 1 and limit or nil
end

-- The beginning of a text, without half a character at its end.
local function shortened(text)
  if #text <= error_bytes then return text end
  local last = error_bytes
  while last > 0 and string.byte(text, last + 1) >= 128 and string.byte(text, last + 1) < 192 do last = last - 1 end
  return string.sub(text, 1, last) .. '…'
end

local function failure_reason(count, error_text)
  local runs = count == 1 and 'a run failed' or string.format('%.0f runs in a row failed', count)
  if type(error_text) ~= 'string' or error_text == '' then return runs end
  return runs .. (count == 1 and ' with: ' or ', the last with: ') .. shortened(error_text)
end

-- A suspended or deactivated schedule has no due runs, and the edit that activates it ends the failures.
local function fail_in_a_row(uid, schedule_key, error_text)
  local count = count_failure(uid)
  local known = redis.call('HMGET', schedule_key, schedule_field.fingerprint, schedule_field.suspended,
                           schedule_field.spec)
  if not known[1] or known[1] == deactivated or known[2] == '1' then return end
  local limit = failure_limit(known[3])
  if not limit or count < limit then return end
  local time = redis.call('TIME')
  local entry = cjson.encode({by = paused_by, reason = failure_reason(count, error_text), failures = count,
                              at = time[1] + math.floor(time[2] / 1000) / 1000})
  if redis.call('HSETNX', failure_keys.paused, uid, entry) == 1 then
    redis.call('HDEL', failure_keys.buffered, uid)
    redis.call('DEL', failure_buffer_key(uid))
  end
end
"""
)
