-- Enqueue a batch of runs, each exactly once: fence, overlap check, backlog check and enqueue in one atomic step.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), namespace, run_ttl (s), active_limit (ms), active (states), key patterns}
-- ARGV[2]: JSON list of runs (enqueue.py names the fields); ARGV[3…]: one message per run, empty to only move the mark
-- Returns one verdict per run; 'moved' carries the true high-water mark behind a colon, 'ahead' Redis's time (ms).
--
-- A thousand schedules may be due at one instant, so what can be is done once per batch: marks are read and written
-- together, messages go to their queues at the end, and run records are written afterwards (book.lua).

local context = cjson.decode(ARGV[1])
local runs = cjson.decode(ARGV[2])
local now = context.now

local function int(number) return string.format('%.0f', number) end
local function seconds(ms) return string.format('%.3f', ms / 1000) end
local function run_key(id) return string.format(context.run, id) end
local time = redis.call('time')
local redis_now = time[1] * 1000 + math.floor(time[2] / 1000)
local function list_key(queue) return context.namespace .. ':' .. queue end

local at = seconds(now)
local active_states = {}
for _, state in ipairs(context.active) do active_states[state] = true end

-- Messages that wait for the end of the batch: queue → {hash arguments}, {list arguments}; ids, known to be queued.
local bodies, lists, fresh, depths = {}, {}, {}, {}
-- Uids whose record changed, for whoever writes status.
local touched = {}

local function flush(queue)
  if lists[queue] and #lists[queue] > 0 then
    redis.call('hset', list_key(queue) .. '.msgs', unpack(bodies[queue]))
    redis.call('rpush', list_key(queue), unpack(lists[queue]))
  end
  bodies[queue], lists[queue] = {}, {}
end

local function depth(queue)
  if not depths[queue] then depths[queue] = redis.call('hlen', list_key(queue) .. '.msgs') end
  return depths[queue] + (lists[queue] and #lists[queue] or 0)
end

-- The state of a run that is queued, running or waiting for a retry, else nil. The queue knows best: a message it holds
-- is not over, whatever is recorded, and one it has lost (purged) must not block its schedule. Only the new message of a
-- retry is not known here, so a record of one is trusted until active_limit after the first enqueue.
local function state_of(id, queue)
  if not id then return nil end
  if fresh[id] then return 'queued' end
  local run = redis.call('hmget', run_key(id), 'state', 'queue', 'delivery', 'enqueued_at')
  local state = run[1] or 'queued'
  if not active_states[state] then return nil end
  local active
  if state == 'retrying' then
    active = now - (tonumber(run[4]) or 0) * 1000 < context.active_limit
  else
    active = redis.call('hexists', list_key(run[2] or queue) .. '.msgs', run[3] or id) == 1
  end
  return active and state or nil
end

-- Takes a run that no worker has fetched yet out of its queue.
local function replace(id, queue)
  flush(queue)
  depths[queue] = nil
  if redis.call('lrem', list_key(queue), -1, id) == 1 then
    redis.call('hdel', list_key(queue) .. '.msgs', id)
    redis.call('hset', run_key(id), 'state', 'skipped', 'error', 'replaced by the next run', 'finished_at', at)
  end
end

local function skip(key, run, reason)
  redis.call('hincrby', key, 'skipped_' .. reason, 1)
  redis.call('hset', key, 'last_skip_reason', reason, 'last_skip_at', at)
  touched[#touched + 1] = run.uid
  return reason
end

-- Whether policy and backlog let the run go: 'go', or why not.
local function admit(run, last)
  local state = nil
  if run.policy ~= 'Allow' then state = state_of(last, run.queue) end
  if state then
    if run.policy ~= 'Replace' or run.kind == 'backfill' then return 'overlap' end
    if state == 'queued' then replace(last, run.queue) end
  end
  if run.max_depth and depth(run.queue) > run.max_depth then return 'backlog' end
  return 'go'
end

local function enqueue(key, run, counter, count, ...)
  if not lists[run.queue] then flush(run.queue) end
  local body, list = bodies[run.queue], lists[run.queue]
  body[#body + 1], body[#body + 2] = run.id, run.message
  list[#list + 1] = run.id
  fresh[run.id] = true
  redis.call('hset', key, 'last_message_id', run.id, counter, count, ...)
  touched[#touched + 1] = run.uid
  if #list == 500 then flush(run.queue) end
end

-- Each kind of run has its own fence: a condition that holds once and is gone after the enqueue.
local kinds = {}

function kinds.due(key, run, s)
  if run.message == '' then return 'missed' end
  local verdict = admit(run, s[2])
  if run.policy == 'BufferOne' then
    if verdict == 'overlap' then
      return redis.call('hsetnx', context.buffered, run.uid, int(run.due)) == 1 and 'buffered' or skip(key, run, verdict)
    end
    -- At most one waits, and it goes first.
    if verdict == 'go' and redis.call('hexists', context.buffered, run.uid) == 1 then return skip(key, run, 'overlap') end
  end
  if verdict ~= 'go' then return skip(key, run, verdict) end
  enqueue(key, run, 'runs', run.count + 1, 'last_due_at', seconds(run.due))
  return 'enqueued'
end

function kinds.buffered(key, run, s)
  if redis.call('hget', context.buffered, run.uid) ~= int(run.due) then return 'already' end
  if admit(run, s[2]) ~= 'go' then return 'wait' end
  redis.call('hdel', context.buffered, run.uid)
  enqueue(key, run, 'runs', tonumber(s[3] or 0) + 1, 'last_due_at', seconds(run.due))
  return 'enqueued'
end

local function triggered(key, run, s)
  local verdict = run.refused and 'refused' or admit(run, s[2])
  if verdict == 'go' then
    enqueue(key, run, 'triggered', tonumber(redis.call('hget', key, 'triggered') or 0) + 1)
    return 'enqueued'
  end
  -- Whoever asked follows this run and learns why it is not.
  redis.call('hset', run_key(run.id), 'state', 'skipped', 'task', run.task, 'queue', run.queue, 'schedule', run.schedule,
    'schedule_uid', run.uid, 'error', run.refused or verdict, 'enqueued_at', at, 'finished_at', at)
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
  if admit(run, s[2]) ~= 'go' then return 'wait' end
  redis.call('hset', backfill, 'cursor', int(run.due))
  redis.call('hincrby', backfill, 'enqueued', 1)
  enqueue(key, run, 'backfilled', tonumber(redis.call('hget', key, 'backfilled') or 0) + 1)
  return 'enqueued'
end

local verdicts, marks, moved, void, counts = {}, {}, {}, {}, {}

local uids = {}
for index, run in ipairs(runs) do uids[index] = run.uid end
for index, mark in ipairs(redis.call('hmget', context.marks, unpack(uids))) do
  marks[uids[index]] = tonumber(mark or 0)
end

-- The fence of the timetable: the high-water mark. nil: the run may go.
local function pass(key, run, s)
  local uid, mark = run.uid, marks[run.uid]
  if mark >= run.due then return 'already' end
  -- A scheduler whose clock is far ahead must not move marks into the future: the schedule would be silent until then.
  if run.due > redis_now + context.ahead_limit then return 'ahead:' .. int(redis_now) end
  -- Missed runs are counted from the mark the scheduler planned with; if another has moved it, the plan is void.
  if void[uid] or (run.expected and mark > run.expected) then
    void[uid] = true
    return 'moved:' .. int(mark)
  end
  counts[uid] = counts[uid] or tonumber(s[3] or 0)
  if run.max_runs and counts[uid] >= run.max_runs then return 'exhausted' end
  run.count = counts[uid]
  if run.message ~= '' then counts[uid] = counts[uid] + 1 end
  marks[uid] = run.due
  moved[#moved + 1], moved[#moved + 2] = uid, int(run.due)
  if run.missed then
    redis.call('hincrby', key, 'missed', run.missed)
    touched[#touched + 1] = uid
  end
end

local known = {}
for index, run in ipairs(runs) do
  run.message = ARGV[index + 2]
  local key = string.format(context.schedule, run.uid)
  local s = redis.call('hmget', key, 'fingerprint', 'last_message_id', 'runs')
  if not s[1] then
    verdicts[index] = 'unknown'
  elseif s[1] ~= run.fingerprint then
    verdicts[index] = s[1] == 'deleted' and 'deleted' or 'changed'
  elseif run.kind == 'due' then
    verdicts[index] = pass(key, run, s)
  end
  known[index] = s
end
-- Before anything is enqueued: should a later command fail, a run is missing and none is there twice.
if #moved > 0 then redis.call('hset', context.marks, unpack(moved)) end
local last = {}
for index, run in ipairs(runs) do
  if not verdicts[index] then
    local s = known[index]
    s[2] = last[run.uid] or s[2]
    verdicts[index] = kinds[run.kind](string.format(context.schedule, run.uid), run, s)
    if verdicts[index] == 'enqueued' then last[run.uid] = run.id end
  end
end
for queue in pairs(lists) do flush(queue) end
if #touched > 0 then redis.call('sadd', context.touched, unpack(touched)) end
return verdicts
