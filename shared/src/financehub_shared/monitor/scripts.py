"""The monitor's Lua: every change of a run, its task's figures and its schedule's outcome is one atomic step.

Only commands of Redis 6.2. No cluster: dramatiq has no cluster mode either, so keys are taken from the events.

A run is identified by its message id, one try of it by `delivery`, which is new at every enqueue and kept by a
redelivery. What is told twice counts once:
- a run that succeeded is over: whatever a copy of it does later is not counted;
- a delivery whose end is recorded (`done`) is not counted again when it is redelivered;
- a run declared lost that comes back is taken out of the lost ones.
"""

#: A deleted schedule leaves a tombstone for an hour: the outcomes of its last runs no longer matter.
_IS_THERE = """
local function is_there(schedule)
  return redis.call('EXISTS', schedule) == 1 and redis.call('HGET', schedule, 'fingerprint') ~= 'deleted'
end
"""

#: KEYS[1] set of task names; KEYS[2] set of touched schedules; KEYS[3] hash of failing schedules; ARGV[1] retention
#: (s); ARGV[2] records kept per task; ARGV[3…] events as JSON.
RECORD = (
    _IS_THERE
    + """
local tasks, touched, failing, retention, kept = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), tonumber(ARGV[2])
local over = {succeeded = true, skipped = true, ['dead-lettered'] = true, lost = true}

local function put(e, state)
  redis.call('HSET', e.run, 'state', state, 'task', e.task, 'queue', e.queue, 'redis_id', e.redis_id,
             'try', e.try, 'worker', e.worker, 'started_at', e.started_at)
  if e.schedule then redis.call('HSET', e.run, 'schedule', e.schedule) end
  if e.uid then redis.call('HSET', e.run, 'schedule_uid', e.uid) end
  if e.due_at then redis.call('HSET', e.run, 'due_at', e.due_at) end
  redis.call('HSETNX', e.run, 'correlation_id', e.correlation_id)
  redis.call('HSETNX', e.run, 'enqueued_at', e.enqueued_at)
  redis.call('EXPIRE', e.run, retention)
end

local function found_again(e, state)
  if state ~= 'lost' then return end
  redis.call('HINCRBY', e.stats, 'lost', -1)
  -- a run that fails after it was lost has failed once; 0 where another has succeeded meanwhile
  if e.uid and redis.call('HEXISTS', failing, e.uid) == 1 and redis.call('HINCRBY', failing, e.uid, -1) <= 0 then
    redis.call('HDEL', failing, e.uid)
  end
end

local function start(e, state, try)
  redis.call('SADD', tasks, e.task)
  redis.call('ZADD', e.running, e.started_at, e.id)
  if over[state] or e.try >= try then put(e, 'running') end
  found_again(e, state)
end

local function close(e)
  redis.call('ZADD', e.recent, e.finished_at, e.id)
  local spare = redis.call('ZCARD', e.recent) - kept
  if spare > 0 then
    local old = redis.call('ZPOPMIN', e.recent, spare)
    for i = 1, #old, 2 do redis.call('DEL', e.run_prefix .. old[i]) end
  end
  if not e.uid or not is_there(e.schedule_key) then return end
  redis.call('HSET', e.schedule_key, 'last_run_id', e.id, 'last_run_outcome', e.outcome, 'last_run_at', e.finished_at,
             'last_run_duration', e.duration, 'last_run_error', e.error or '')
  redis.call('HINCRBY', e.schedule_key, 'ended', 1)
  redis.call('SADD', touched, e.uid)
  if e.outcome == 'succeeded' then
    redis.call('HSET', e.schedule_key, 'last_success_at', e.finished_at)
    redis.call('HDEL', failing, e.uid)
  elseif e.outcome ~= 'skipped' then
    redis.call('HINCRBY', e.schedule_key, 'failures', 1)
    redis.call('HSET', e.schedule_key, 'last_failure_at', e.finished_at)
    redis.call('HINCRBY', failing, e.uid, 1)
  end
end

local function finish(e, state, try)
  redis.call('SADD', tasks, e.task)
  if over[state] or e.try >= try then
    put(e, e.outcome)
    redis.call('HSET', e.run, 'done', e.delivery, 'finished_at', e.finished_at, 'duration', e.duration,
               'error', e.error or '')
    if e.summary then redis.call('HSET', e.run, 'summary', e.summary) end
    redis.call('ZREM', e.running, e.id)
  else
    redis.call('HSET', e.run, 'done', e.delivery) -- the next try began before this word came
  end
  found_again(e, state)
  if e.counter then redis.call('HINCRBY', e.stats, e.counter, 1) end
  if e.outcome ~= 'skipped' then
    redis.call('HINCRBY', e.stats, 'tries', 1)
    redis.call('HINCRBYFLOAT', e.stats, 'seconds', e.duration)
    redis.call('HINCRBY', e.stats, 'b' .. e.bucket, 1)
  end
  if e.failed then
    redis.call('HINCRBY', e.stats, 'failed', 1)
    redis.call('HSET', e.stats, 'last_failure_at', e.finished_at, 'last_error', e.error)
  elseif e.outcome == 'succeeded' then
    redis.call('HSET', e.stats, 'last_success_at', e.finished_at)
  end
  if over[e.outcome] then close(e) end
end

local kinds = {start = start, finish = finish}
for i = 3, #ARGV do
  local e = cjson.decode(ARGV[i])
  local r = redis.call('HMGET', e.run, 'state', 'done', 'try')
  if r[1] == 'succeeded' or r[2] == e.delivery then
    redis.call('ZREM', e.running, e.id)
  else
    kinds[e.kind](e, r[1], tonumber(r[3] or '0'))
  end
end
return #ARGV - 2
"""
)

#: KEYS[1] set of task names; KEYS[2] set of touched schedules; KEYS[3] hash of failing schedules; ARGV: prefixes of
#: task, run, worker, schedule keys; dramatiq's namespace; started before (s); now (s). A run is lost when its worker is
#: gone and no queue holds its message, so that nobody can redeliver it.
REAP = (
    _IS_THERE
    + """
local task_prefix, run_prefix, worker_prefix, schedule_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local namespace, before, now = ARGV[5], ARGV[6], ARGV[7]
local reason = 'its worker died and its message is in no queue'
local lost = 0
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local stats = task_prefix .. task
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', stats .. ':running', '-inf', before)) do
    local run = run_prefix .. id
    local r = redis.call('HMGET', run, 'state', 'worker', 'queue', 'redis_id', 'schedule_uid')
    local alive = r[2] and redis.call('EXISTS', worker_prefix .. r[2]) == 1
    local held = r[3] and redis.call('HEXISTS', namespace .. ':' .. r[3] .. '.msgs', r[4]) == 1
    if not alive and not held then
      redis.call('ZREM', stats .. ':running', id)
      if not r[1] or r[1] == 'running' then
        lost = lost + 1
        redis.call('HINCRBY', stats, 'lost', 1)
        redis.call('HSET', stats, 'last_failure_at', now, 'last_error', reason)
        if r[1] then
          redis.call('HSET', run, 'state', 'lost', 'finished_at', now, 'error', reason)
          redis.call('ZADD', stats .. ':recent', now, id)
        end
        if r[5] and is_there(schedule_prefix .. r[5]) then
          redis.call('HSET', schedule_prefix .. r[5], 'last_run_id', id, 'last_run_outcome', 'lost', 'last_run_at', now,
                     'last_run_error', reason, 'last_failure_at', now)
          redis.call('HINCRBY', schedule_prefix .. r[5], 'ended', 1)
          redis.call('HINCRBY', schedule_prefix .. r[5], 'failures', 1)
          redis.call('HINCRBY', KEYS[3], r[5], 1)
          redis.call('SADD', KEYS[2], r[5])
        end
      end
    end
  end
end
return lost
"""
)

#: KEYS[1] set of task names; ARGV[1] prefix of task keys. All figures of all tasks at one instant.
SNAPSHOT = """
local out = {}
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local stats = ARGV[1] .. task
  table.insert(out, {task, redis.call('ZCARD', stats .. ':running'), redis.call('HGETALL', stats)})
end
return out
"""

#: KEYS: one task's recent runs; ARGV[1] prefix of run keys; ARGV[2] finished before (s); ARGV[3] `1` to only count.
DROP = """
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
if ARGV[3] == '1' then return #ids end
for _, id in ipairs(ids) do redis.call('DEL', ARGV[1] .. id) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return #ids
"""
