-- Enqueue a batch of runs, each exactly once: fence, overlap check, backlog check and enqueue in one atomic step.
-- ARGV[1]: JSON context {now (ms), namespace, run_ttl (s), active_limit (ms), active (states), key patterns}
-- ARGV[2]: JSON list of runs (enqueue.py names the fields)
-- Returns one verdict per run; 'moved' carries the true high-water mark behind a colon.

local context = cjson.decode(ARGV[1])
local runs = cjson.decode(ARGV[2])
local now = context.now

local function int(number) return string.format('%.0f', number) end
local function seconds(ms) return string.format('%.3f', ms / 1000) end
local function run_key(id) return string.format(context.run, id) end

local active_states = {}
for _, state in ipairs(context.active) do active_states[state] = true end

-- The state of a run that is queued, running or waiting for a retry, else nil. The queue must still hold the message:
-- one that was purged must not block its schedule. The new message of a retry is not known here, so a retry is
-- trusted until active_limit after the first enqueue.
local function state_of(id)
  if not id then return nil end
  local run = redis.call('hmget', run_key(id), 'state', 'queue', 'delivery', 'enqueued_at')
  local state = run[1]
  if not state or not active_states[state] then return nil end
  local active
  if state == 'retrying' then
    active = now - (tonumber(run[4]) or 0) * 1000 < context.active_limit
  else
    active = run[2] and redis.call('hexists', context.namespace .. ':' .. run[2] .. '.msgs', run[3] or id) == 1
  end
  return active and state or nil
end

-- Takes a run that no worker has fetched yet out of its queue.
local function replace(id, queue)
  local list = context.namespace .. ':' .. queue
  if redis.call('lrem', list, -1, id) == 1 then
    redis.call('hdel', list .. '.msgs', id)
    redis.call('hset', run_key(id), 'state', 'skipped', 'error', 'replaced by the next run', 'finished_at', seconds(now))
  end
end

local function skip(key, run, reason)
  redis.call('hincrby', key, 'skipped_' .. reason, 1)
  redis.call('hset', key, 'last_skip_reason', reason, 'last_skip_at', seconds(now))
  return reason
end

-- Whether policy and backlog let the run go: 'go', or why not.
local function admit(run, last)
  local state = nil
  if run.policy ~= 'Allow' then state = state_of(last) end
  if state then
    if run.policy ~= 'Replace' then return 'overlap' end
    if run.kind == 'backfill' then return 'overlap' end
    if state == 'queued' then replace(last, run.queue) end
  end
  if run.max_depth >= 0 and redis.call('hlen', context.namespace .. ':' .. run.queue .. '.msgs') > run.max_depth then
    return 'backlog'
  end
  return 'go'
end

local function enqueue(key, run, counter, count)
  local list = context.namespace .. ':' .. run.queue
  redis.call('hset', list .. '.msgs', run.id, run.message)
  redis.call('rpush', list, run.id)
  redis.call('hset', run_key(run.id), 'state', 'queued', 'task', run.task, 'queue', run.queue, 'schedule', run.schedule,
    'schedule_uid', run.uid, 'due_at', seconds(run.due), 'enqueued_at', seconds(now))
  redis.call('expire', run_key(run.id), context.run_ttl)
  redis.call('hset', key, 'last_message_id', run.id, 'last_due_at', seconds(run.due), 'last_enqueued_at', seconds(now), counter, count)
  local recent = string.format(context.recent, run.uid)
  if redis.call('lpush', recent, run.id) > 10 then redis.call('ltrim', recent, 0, 9) end
end

-- Each kind of run has its own fence: a condition that holds once and is gone after the enqueue.
local kinds = {}
local void = {}

function kinds.due(key, run, s)
  local mark = tonumber(redis.call('hget', context.marks, run.uid) or 0)
  if mark >= run.due then return 'already' end
  if void[run.uid] then return 'moved:' .. int(mark) end
  -- Missed runs are counted from the mark the scheduler planned with; if another has moved it, the plan is void.
  if run.expected and mark > run.expected then
    void[run.uid] = true
    return 'moved:' .. int(mark)
  end
  local count = tonumber(s[4] or 0)
  if run.max_runs > 0 and count >= run.max_runs then return 'exhausted' end
  redis.call('hset', context.marks, run.uid, int(run.due))
  if run.missed > 0 then redis.call('hincrby', key, 'missed', run.missed) end
  if not run.message then return 'missed' end
  local verdict = admit(run, s[3])
  if verdict == 'overlap' and run.policy == 'BufferOne' and redis.call('hsetnx', context.buffered, run.uid, int(run.due)) == 1 then
    return 'buffered'
  end
  if verdict ~= 'go' then return skip(key, run, verdict) end
  -- At most one waits: the waiting run goes first, and this one is the one that waits no more.
  if run.policy == 'BufferOne' and redis.call('hexists', context.buffered, run.uid) == 1 then return skip(key, run, 'overlap') end
  enqueue(key, run, 'runs', count + 1)
  return 'enqueued'
end

function kinds.buffered(key, run, s)
  if redis.call('hget', context.buffered, run.uid) ~= int(run.due) then return 'already' end
  if admit(run, s[3]) ~= 'go' then return 'wait' end
  redis.call('hdel', context.buffered, run.uid)
  enqueue(key, run, 'runs', tonumber(s[4] or 0) + 1)
  return 'enqueued'
end

local function triggered(key, run, s)
  local verdict = admit(run, s[3])
  if verdict == 'go' then
    enqueue(key, run, 'triggered', tonumber(redis.call('hget', key, 'triggered') or 0) + 1)
    return 'enqueued'
  end
  -- Whoever asked follows this run and learns why it is not.
  redis.call('hset', run_key(run.id), 'state', 'skipped', 'task', run.task, 'queue', run.queue, 'schedule', run.schedule,
    'schedule_uid', run.uid, 'error', verdict, 'enqueued_at', seconds(now))
  redis.call('expire', run_key(run.id), context.run_ttl)
  return skip(key, run, verdict)
end

-- The trigger annotation: every new value once.
function kinds.annotation(key, run, s)
  if redis.call('hget', key, 'trigger') == run.fence then return 'already' end
  redis.call('hset', key, 'trigger', run.fence)
  return triggered(key, run, s)
end

-- A trigger asked for by CLI: gone once it is carried out.
function kinds.request(key, run, s)
  if redis.call('hexists', context.triggers, run.fence) == 0 then return 'already' end
  local verdict = triggered(key, run, s)
  redis.call('hdel', context.triggers, run.fence)
  return verdict
end

-- A backfill never skips: it waits for its turn. Its cursor is the fence.
function kinds.backfill(key, run, s)
  local backfill = string.format(context.backfill, run.fence)
  local cursor = redis.call('hget', backfill, 'cursor')
  if not cursor then return 'deleted' end
  if tonumber(cursor) >= run.due then return 'already' end
  if admit(run, s[3]) ~= 'go' then return 'wait' end
  redis.call('hset', backfill, 'cursor', int(run.due))
  redis.call('hincrby', backfill, 'enqueued', 1)
  enqueue(key, run, 'backfilled', tonumber(redis.call('hget', key, 'backfilled') or 0) + 1)
  return 'enqueued'
end

local verdicts = {}
for index, run in ipairs(runs) do
  local key = string.format(context.schedule, run.uid)
  local s = redis.call('hmget', key, 'fingerprint', 'deleted_at', 'last_message_id', 'runs')
  if s[2] then
    verdicts[index] = 'deleted'
  elseif not s[1] then
    verdicts[index] = 'unknown'
  elseif s[1] ~= run.fingerprint then
    verdicts[index] = 'changed'
  else
    verdicts[index] = kinds[run.kind](key, run, s)
  end
end
return verdicts
