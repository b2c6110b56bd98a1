"""The monitor's Lua scripts, which atomically update a run, its task's statistics and its schedule record.

The scripts use only Redis 6.2 commands. They need not support cluster mode, because dramatiq does not support it
either, so they may build keys from names.

A run is identified by its message id. An attempt is identified by its attempt id, which changes at every enqueue and
stays the same at a redelivery. An event that arrives twice counts once:
- A run that succeeded is over, and later attempts of it are not counted.
- The run record field `done` holds the ids of the last attempts whose end is recorded, one per line. A redelivery of
  one of these attempts is not counted, nor is an end that is sent again because Redis's reply was lost. It holds more
  than one id, because another worker may end the next attempt before the end of this one is sent again.
- An attempt that failed and is to be retried may be redelivered, because its worker died before it could replace the
  message by the retry. If the redelivery ends the run, this end replaces the earlier one of the same attempt.
- An attempt that its worker's shutdown interrupts is redelivered under the same id, and the redelivery counts. Its
  entry in `done` therefore also contains the worker, and only further events from that worker are ignored.
- A run that was declared lost but comes back is subtracted from the number of lost runs.

A key or a value that Redis refuses affects only its own part of its own event: the run record, the statistics of the
task, or the record of the schedule. All other parts and events are written. A command that the ACL denies counts as
such a refusal, because it is denied again when the event is sent again. If Redis refuses all writes, the script fails
as a whole, and its events can be sent again.
"""

from financehub_shared.broker.queue_scripts import ACKNOWLEDGMENT_LENGTH, LUA_ACKNOWLEDGE
from financehub_shared.monitor.failure_scripts import LUA_FAILURES
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.faults import NOPERM, REFUSED_WRITES
from financehub_shared.redis.lua import lua_field_names, lua_key_function
from financehub_shared.redis.run_record import LUA_RUN_RECORD
from financehub_shared.redis.schedule_record import LUA_SCHEDULE_RECORD

_RUN_KEY = lua_key_function("run_key", keys.run)
_TASK_KEYS = lua_key_function("stats_key", keys.task_stats) + lua_key_function("running_key", keys.task_running)
_OTHER_KEYS = (
    lua_key_function("recent_key", keys.task_recent)
    + lua_key_function("process_key", keys.process)
    + lua_key_function("schedule_key", keys.schedule)
    + lua_key_function("messages_key", queue_keys.messages)
)

#: Number of ids in `done`. A run has about ten attempts with the default retries.
_DONE_KEPT = 16
#: Parts of an error text that mean that Redis refuses all writes. In Redis 6.2, other text precedes the code.
_REFUSED_WRITES = lua_field_names("refused_writes", sorted(REFUSED_WRITES))

#: Parts of an error text that concern no single key or value.
_REFUSED = lua_field_names("refused", [*sorted(REFUSED_WRITES), NOPERM, "ACL failure", "can't run this"])

#: Records events, and acknowledges the messages of attempts that have ended. KEYS: set of task names, set of changed
#: schedules. ARGV: retention (s), number of records kept per task, number of events, the events as JSON, then for each
#: of the last events whose message is to be acknowledged the keys and arguments of `queue_scripts.ACK`. Nothing is
#: acknowledged if the script fails. Returns a flat list with the index, from 0, of each event that was refused in part
#: or as a whole, and the reason, a list with the index, from 0, of each message that was not acknowledged because of an
#: error, and a flat list with the index of each acknowledged message in whose place another one was fetched, and the
#: id, the message and the losses of that one.
RECORD = (
    LUA_SCHEDULE_RECORD
    + LUA_FAILURES
    + LUA_RUN_RECORD
    + LUA_ACKNOWLEDGE
    + _RUN_KEY
    + _REFUSED_WRITES
    + f"local done_kept = {_DONE_KEPT}\n"
    + f"local acknowledgment_length = {ACKNOWLEDGMENT_LENGTH}\n"
    + """
local tasks, changed, failing = KEYS[1], KEYS[2], failure_keys.failing
-- A full Redis runs a script whose first write frees memory. Otherwise, a run that is acknowledged while Redis is full
-- would not be counted if its worker died before Redis has room. Its record takes the place of its message.
redis.pcall('SREM', tasks, '')
local retention, kept = tonumber(ARGV[1]), tonumber(ARGV[2])
local over = {succeeded = true, skipped = true, ['dead-lettered'] = true, lost = true}

-- `known` has the values of the record: state, done, attempt, correlation id, arguments, time of the enqueue.
local function write_run(e, state, known, ...)
  local fields = {run_field.state, state, run_field.task, e.task, run_field.queue, e.queue,
                  run_field.redis_id, e.redis_id, run_field.attempt, e.attempt, run_field.worker, e.worker,
                  run_field.started_at, e.started_at, ...}
  local count = #fields
  local function add(name, value)
    if value then
      fields[count + 1], fields[count + 2] = name, value
      count = count + 2
    end
  end
  add(run_field.schedule, e.schedule)
  add(run_field.schedule_uid, e.uid)
  add(run_field.due_at, e.due_at)
  add(run_field.summary, e.summary)
  if not known[4] then add(run_field.correlation_id, e.correlation_id) end
  if not known[5] then add(run_field.arguments, e.arguments) end
  if not known[6] then add(run_field.enqueued_at, e.enqueued_at) end
  redis.call('HSET', e.run, unpack(fields))
  redis.call('EXPIRE', e.run, retention)
end

local function undo_lost(e, state)
  if state ~= 'lost' then return end
  redis.call('HINCRBY', e.stats, 'lost', -1)
  -- A run that fails after it was lost counts as one failure. Another run may have cleared the count by a success.
  if e.uid and redis.call('HEXISTS', failing, e.uid) == 1 and redis.call('HINCRBY', failing, e.uid, -1) <= 0 then
    redis.call('HDEL', failing, e.uid)
  end
end

-- A failing part of an event does not affect the others. A key of a wrong type, for example, costs only what is in it.
local problem
local function part(write, ...)
  local ok, failure = pcall(write, ...)
  if ok then return failure end
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  for code in pairs(refused_writes) do
    if string.find(text, code, 1, true) then error(failure, 0) end
  end
  problem = problem or text
end

local function start(e, known, state, attempt)
  part(function()
    redis.call('SADD', tasks, e.task)
    redis.call('ZADD', e.running, e.started_at, e.id)
  end)
  part(function()
    if over[state] or e.attempt >= attempt then write_run(e, 'running', known) end
  end)
  part(undo_lost, e, state)
end

local function add_recent(e)
  redis.call('ZADD', e.recent, e.finished_at, e.id)
  local spare = redis.call('ZCARD', e.recent) - kept
  if spare > 0 then
    local old = redis.call('ZPOPMIN', e.recent, spare)
    for i = 1, #old, 2 do redis.call('DEL', run_key(old[i])) end
  end
end

local function update_schedule(e)
  if not e.uid or not is_registered(e.schedule_key) then return end
  local field = schedule_field
  redis.call('HSET', e.schedule_key, field.last_run_id, e.id, field.last_run_outcome, e.outcome,
             field.last_run_at, e.finished_at, field.last_run_duration, e.duration, field.last_run_error, e.error or '')
  redis.call('HINCRBY', e.schedule_key, field.ended, 1)
  redis.call('SADD', changed, e.uid)
  if e.outcome == 'succeeded' then
    redis.call('HSET', e.schedule_key, field.last_success_at, e.finished_at)
    end_failures(e.uid)
  elseif e.outcome ~= 'skipped' then
    redis.call('HINCRBY', e.schedule_key, field.failures, 1)
    redis.call('HSET', e.schedule_key, field.last_failure_at, e.finished_at)
    fail_in_a_row(e.uid, e.schedule_key, e.error)
  end
end

local function interrupted_by(e) return e.attempt_id .. ' ' .. e.worker end

-- The lines of `done`, newest last, without the oldest ones, and with the end of this attempt.
local function with_end(e, ended)
  local lines = {}
  for line in string.gmatch(ended or '', '[^\\n]+') do table.insert(lines, line) end
  table.insert(lines, e.outcome == 'queued' and interrupted_by(e) or e.attempt_id)
  return table.concat(lines, '\\n', math.max(1, #lines - done_kept + 1))
end

local function is_recorded(e, ended)
  local lines = '\\n' .. (ended or '') .. '\\n'
  return string.find(lines, '\\n' .. e.attempt_id .. '\\n', 1, true)
      or string.find(lines, '\\n' .. interrupted_by(e) .. '\\n', 1, true)
end

local function write_end(e, known, state, attempt)
  local done = with_end(e, known[2])
  if over[state] or e.attempt >= attempt then
    write_run(e, e.outcome, known, run_field.finished_at, e.finished_at, run_field.duration, e.duration,
              run_field.error, e.error or '', run_field.done, done)
  else
    -- the next attempt started before this event arrived
    redis.call('HSET', e.run, run_field.done, done)
  end
  return true
end

local function count(e)
  if e.counter then redis.call('HINCRBY', e.stats, e.counter, 1) end
  if e.replaces then
    redis.call('HINCRBY', e.stats, 'retried', -1)
  elseif e.outcome ~= 'skipped' then
    redis.call('HINCRBY', e.stats, 'attempts', 1)
    redis.call('HINCRBYFLOAT', e.stats, 'attempt_seconds', e.duration)
    redis.call('HINCRBY', e.stats, 'b' .. e.bucket, 1)
  end
  if e.failed then
    if not e.replaces then redis.call('HINCRBY', e.stats, 'failed', 1) end
    redis.call('HSET', e.stats, 'last_failure_at', e.finished_at, 'last_error', e.error)
  elseif e.outcome == 'succeeded' then
    redis.call('HSET', e.stats, 'last_success_at', e.finished_at)
  end
end

local function finish(e, known, state, attempt)
  -- Without the record, a repeated event could not be recognized, so nothing is counted.
  if not part(write_end, e, known, state, attempt) then return end
  part(redis.call, 'SADD', tasks, e.task)
  if over[state] or e.attempt >= attempt then part(redis.call, 'ZREM', e.running, e.id) end
  part(undo_lost, e, state)
  part(count, e)
  if over[e.outcome] then
    part(add_recent, e)
    part(update_schedule, e)
  end
end

local kinds = {start = start, finish = finish}
local function record(event)
  local e = cjson.decode(event)
  local known = redis.call('HMGET', e.run, run_field.state, run_field.done, run_field.attempt,
                           run_field.correlation_id, run_field.arguments, run_field.enqueued_at)
  local is_known = is_recorded(e, known[2])
  e.replaces = is_known and known[1] == 'retrying' and over[e.outcome] and tonumber(known[3]) == e.attempt
  if known[1] == 'succeeded' or is_known and not e.replaces then
    redis.call('ZREM', e.running, e.id)
  else
    kinds[e.kind](e, known, known[1], tonumber(known[3] or '0'))
  end
end

local events, refused = tonumber(ARGV[3]), {}
for i = 4, events + 3 do
  problem = nil
  part(record, ARGV[i])
  if problem then
    table.insert(refused, i - 4)
    table.insert(refused, problem)
  end
end

local unacknowledged, fetched = {}, {}
for i = events + 4, #ARGV, acknowledgment_length do
  local index = (i - events - 4) / acknowledgment_length
  if not pcall(acknowledge, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) then
    -- The broker repeats it, and sets the key aside that has a wrong type.
    redis.pcall('SADD', ARGV[i], ARGV[i + 3])
    table.insert(unacknowledged, index)
  elseif ARGV[i + 4] ~= '' then
    fetch_next(fetched, index, ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6])
  end
end
return {refused, unacknowledged, fetched}
"""
)

#: Declares runs lost if their worker is gone and their message is in no queue, so no worker can receive it again. KEYS:
#: set of task names, set of changed schedules. ARGV: latest start (s), now (s). Returns the number of lost runs.
DECLARE_LOST = (
    LUA_SCHEDULE_RECORD
    + LUA_FAILURES
    + LUA_RUN_RECORD
    + _RUN_KEY
    + _TASK_KEYS
    + _OTHER_KEYS
    + _REFUSED
    + """
local before, now = ARGV[1], ARGV[2]
local function raise_if_refused(text)
  for code in pairs(refused) do
    if string.find(text, code, 1, true) then error(text, 0) end
  end
end
-- A key of another type must not hide the other runs. Its command has no effect, and its reply is missing.
local function call(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  raise_if_refused(reply.err)
end
local function is_live_schedule(key)
  local found, registered = pcall(is_registered, key)
  return found and registered
end
local reason = 'its worker died and its message is in no queue'
local lost = 0
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local stats, running = stats_key(task), running_key(task)
  for _, id in ipairs(call('ZRANGEBYSCORE', running, '-inf', before) or {}) do
    local run = run_key(id)
    local r = call('HMGET', run, run_field.state, run_field.worker, run_field.queue, run_field.redis_id,
                   run_field.schedule_uid) or {}
    local state, worker, queue, redis_id, uid = r[1], r[2], r[3], r[4], r[5]
    local alive = worker and call('EXISTS', process_key(worker)) == 1
    local queued = queue and call('HEXISTS', messages_key(queue), redis_id) == 1
    if not alive and not queued then
      call('ZREM', running, id)
      if not state or state == 'running' then
        lost = lost + 1
        call('HINCRBY', stats, 'lost', 1)
        call('HSET', stats, 'last_failure_at', now, 'last_error', reason)
        if state then
          call('HSET', run, run_field.state, 'lost', run_field.finished_at, now, run_field.error, reason)
          call('ZADD', recent_key(task), now, id)
        end
        local schedule = uid and schedule_key(uid)
        if schedule and is_live_schedule(schedule) then
          local field = schedule_field
          call('HSET', schedule, field.last_run_id, id, field.last_run_outcome, 'lost', field.last_run_at, now,
               field.last_run_error, reason, field.last_failure_at, now)
          call('HINCRBY', schedule, field.ended, 1)
          call('HINCRBY', schedule, field.failures, 1)
          local ok, failure = pcall(fail_in_a_row, uid, schedule, reason)
          if not ok then raise_if_refused(type(failure) == 'table' and failure.err or tostring(failure)) end
          call('SADD', KEYS[2], uid)
        end
      end
    end
  end
end
return lost
"""
)

#: Returns the statistics of all tasks at one moment. KEYS: set of task names.
SNAPSHOT = (
    _TASK_KEYS
    + """
local out = {}
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local running, stats = redis.pcall('ZCARD', running_key(task)), redis.pcall('HGETALL', stats_key(task))
  -- a key of another type contains no statistics
  table.insert(out, {task, type(running) == 'number' and running or 0, not stats.err and stats or {}})
end
return out
"""
)

#: Deletes one task's run records. KEYS: recent runs of the task. ARGV: latest end (s), `1` to only count. Returns the
#: number of runs.
DELETE_OLD_RUNS = (
    _RUN_KEY
    + """
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if ARGV[2] == '1' then return #ids end
for _, id in ipairs(ids) do redis.call('DEL', run_key(id)) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
return #ids
"""
)
