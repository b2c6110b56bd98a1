-- Enqueue a batch of runs, each exactly once: fence, overlap check, backlog check and enqueue in one atomic step.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), run_ttl (s), active_limit (ms), active (states)}
-- ARGV[2]: JSON list of runs (`encode` in enqueuer.py names the fields); ARGV[3…]: one message per run, empty to only
-- move the high-water mark
-- Returns one enqueue outcome per run. `moved` is followed by a colon and the high-water mark in Redis (ms), `ahead` by a
-- colon and the time of Redis (ms).
--
-- A thousand schedules may be due at one instant, so as much as possible is done once per batch: marks are read and
-- written together, messages go to their queues at the end, and run records are written afterwards (record_runs.lua).

local context = cjson.decode(ARGV[1])
local runs = cjson.decode(ARGV[2])
local now = context.now
local redis_now = redis_time()
local at = seconds(now)
local field = schedule_field
local active_states = {}
for _, state in ipairs(context.active) do active_states[state] = true end

-- Messages that wait for the end of the batch: per queue the arguments for its hash and for its list, and its depth.
local bodies, lists, depths = {}, {}, {}
-- Ids enqueued by this batch.
local fresh = {}
-- Uids whose record changed, for the writer of status.
local changed = {}

local function flush(queue)
  if lists[queue] and #lists[queue] > 0 then
    redis.call('hset', messages_key(queue), unpack(bodies[queue]))
    redis.call('rpush', queue_key(queue), unpack(lists[queue]))
  end
  bodies[queue], lists[queue] = {}, {}
end

local function depth(queue)
  if not depths[queue] then depths[queue] = redis.call('hlen', messages_key(queue)) end
  return depths[queue] + (lists[queue] and #lists[queue] or 0)
end

-- Returns the state of a run that is queued, running or waiting for a retry, otherwise nil. The queue knows best: a
-- message in it has not ended, whatever the record says, and a message that it has lost (purged) must not block its
-- schedule. Only the new message of a retry is unknown here, so the record of a retry is trusted until active_limit
-- after the first enqueue.
local function state_of(id, queue)
  if not id then return nil end
  if fresh[id] then return 'queued' end
  local run = redis.call('hmget', run_key(id), run_field.state, run_field.queue, run_field.redis_id,
    run_field.enqueued_at)
  local state = run[1] or 'queued'
  if not active_states[state] then return nil end
  local active
  if state == 'retrying' then
    active = now - (tonumber(run[4]) or 0) * 1000 < context.active_limit
  else
    active = redis.call('hexists', messages_key(run[2] or queue), run[3] or id) == 1
  end
  return active and state or nil
end

-- Removes a run from its queue if no worker has fetched it yet.
local function replace(id, queue)
  flush(queue)
  depths[queue] = nil
  if redis.call('lrem', queue_key(queue), -1, id) == 1 then
    redis.call('hdel', messages_key(queue), id)
    redis.call('hset', run_key(id), run_field.state, 'skipped', run_field.error, 'replaced by the next run',
      run_field.finished_at, at)
  end
end

local function skip(record, run, reason)
  redis.call('hincrby', record, field['skipped_' .. reason], 1)
  redis.call('hset', record, field.last_skip_reason, reason, field.last_skip_at, at)
  changed[#changed + 1] = run.uid
  return reason
end

-- Checks concurrency policy and backlog. Returns 'go', or the reason to skip the run.
local function admit(run, last_id)
  local state = nil
  if run.policy ~= 'Allow' then state = state_of(last_id, run.queue) end
  if state then
    if run.policy ~= 'Replace' or run.kind == 'backfill' then return 'overlap' end
    if state == 'queued' then replace(last_id, run.queue) end
  end
  if run.max_depth and depth(run.queue) > run.max_depth then return 'backlog' end
  return 'go'
end

local function enqueue(record, run, counter, count, ...)
  if not lists[run.queue] then flush(run.queue) end
  local body, list = bodies[run.queue], lists[run.queue]
  body[#body + 1], body[#body + 2] = run.id, run.message
  list[#list + 1] = run.id
  fresh[run.id] = true
  redis.call('hset', record, field.last_message_id, run.id, counter, count, ...)
  changed[#changed + 1] = run.uid
  if #list == 500 then flush(run.queue) end
end

-- One function per kind of run. Each has its own fence: a condition that holds before the enqueue and not after it.
-- `last_id` is the newest message of the schedule, `count` its number of scheduled runs.
local kinds = {}

function kinds.due(record, run, last_id)
  if run.message == '' then return 'missed' end
  local admission = admit(run, last_id)
  if run.policy == 'BufferOne' then
    if admission == 'overlap' then
      if redis.call('hsetnx', keys.buffered, run.uid, integer(run.due)) == 1 then return 'buffered' end
      return skip(record, run, admission)
    end
    -- At most one run is buffered, and it goes first.
    if admission == 'go' and redis.call('hexists', keys.buffered, run.uid) == 1 then
      return skip(record, run, 'overlap')
    end
  end
  if admission ~= 'go' then return skip(record, run, admission) end
  enqueue(record, run, field.runs, run.count + 1, field.last_due_at, seconds(run.due))
  return 'enqueued'
end

function kinds.buffered(record, run, last_id, count)
  if redis.call('hget', keys.buffered, run.uid) ~= integer(run.due) then return 'already' end
  if admit(run, last_id) ~= 'go' then return 'wait' end
  redis.call('hdel', keys.buffered, run.uid)
  enqueue(record, run, field.runs, count + 1, field.last_due_at, seconds(run.due))
  return 'enqueued'
end

local function triggered(record, run, last_id)
  local admission = run.refused and 'refused' or admit(run, last_id)
  if admission == 'go' then
    enqueue(record, run, field.triggered, tonumber(redis.call('hget', record, field.triggered) or 0) + 1)
    return 'enqueued'
  end
  -- The client that requested the run follows its record and finds the reason there.
  redis.call('hset', run_key(run.id), run_field.state, 'skipped', run_field.task, run.task, run_field.queue, run.queue,
    run_field.schedule, run.schedule, run_field.schedule_uid, run.uid, run_field.error, run.refused or admission,
    run_field.enqueued_at, at, run_field.finished_at, at)
  redis.call('expire', run_key(run.id), context.run_ttl)
  return skip(record, run, admission)
end

-- The trigger annotation: every new value counts once.
function kinds.annotation(record, run, last_id)
  if redis.call('hget', record, field.trigger) == run.fence then return 'already' end
  redis.call('hset', record, field.trigger, run.fence)
  return triggered(record, run, last_id)
end

-- A trigger by the command line: the request is deleted when it is carried out.
function kinds.request(record, run, last_id)
  if redis.call('hexists', keys.triggers, run.fence) == 0 then return 'already' end
  local outcome = triggered(record, run, last_id)
  redis.call('hdel', keys.triggers, run.fence)
  return outcome
end

-- A backfill never skips a run but waits for its turn. Its cursor is the fence.
function kinds.backfill(record, run, last_id)
  local backfill = backfill_key(run.fence)
  local cursor = redis.call('hget', backfill, backfill_field.cursor)
  if not cursor then return 'deleted' end
  if tonumber(cursor) >= run.due then return 'already' end
  if admit(run, last_id) ~= 'go' then return 'wait' end
  redis.call('hset', backfill, backfill_field.cursor, integer(run.due))
  redis.call('hincrby', backfill, backfill_field.enqueued, 1)
  enqueue(record, run, field.backfilled, tonumber(redis.call('hget', record, field.backfilled) or 0) + 1)
  return 'enqueued'
end

local outcomes, marks, moved_marks, void_plans, counts = {}, {}, {}, {}, {}

local uids = {}
for index, run in ipairs(runs) do uids[index] = run.uid end
for index, mark in ipairs(redis.call('hmget', keys.high_water_marks, unpack(uids))) do
  marks[uids[index]] = tonumber(mark or 0)
end

-- The fence of due runs: the high-water mark. Returns nil if the run may go, otherwise the outcome.
local function check_mark(record, run, runs_so_far)
  local uid, mark = run.uid, marks[run.uid]
  if mark >= run.due then return 'already' end
  -- A scheduler whose clock is far ahead must not move marks into the future: the schedule would be silent until then.
  if run.due > redis_now + context.ahead_limit then return 'ahead:' .. integer(redis_now) end
  -- Missed runs are counted from the mark that the scheduler planned with. If another one has moved it, the plan is void.
  if void_plans[uid] or (run.expected and mark > run.expected) then
    void_plans[uid] = true
    return 'moved:' .. integer(mark)
  end
  counts[uid] = counts[uid] or runs_so_far
  if run.max_runs and counts[uid] >= run.max_runs then return 'exhausted' end
  run.count = counts[uid]
  if run.message ~= '' then counts[uid] = counts[uid] + 1 end
  marks[uid] = run.due
  moved_marks[#moved_marks + 1], moved_marks[#moved_marks + 2] = uid, integer(run.due)
  if run.missed then
    redis.call('hincrby', record, field.missed, run.missed)
    changed[#changed + 1] = uid
  end
end

local last_ids, runs_so_far = {}, {}
for index, run in ipairs(runs) do
  run.message = ARGV[index + 2]
  local record = schedule_key(run.uid)
  local known = redis.call('hmget', record, field.fingerprint, field.last_message_id, field.runs)
  runs_so_far[index] = tonumber(known[3] or 0)
  if not known[1] then
    outcomes[index] = 'unknown'
  elseif known[1] ~= run.fingerprint then
    outcomes[index] = known[1] == fingerprints.deleted and 'deleted' or 'changed'
  elseif run.kind == 'due' then
    outcomes[index] = check_mark(record, run, runs_so_far[index])
  end
  last_ids[run.uid] = known[2]
end
-- Written before anything is enqueued: if a later command fails, a run is missing, but none is there twice.
if #moved_marks > 0 then redis.call('hset', keys.high_water_marks, unpack(moved_marks)) end
for index, run in ipairs(runs) do
  if not outcomes[index] then
    outcomes[index] = kinds[run.kind](schedule_key(run.uid), run, last_ids[run.uid], runs_so_far[index])
    if outcomes[index] == 'enqueued' then last_ids[run.uid] = run.id end
  end
end
for queue in pairs(lists) do flush(queue) end
if #changed > 0 then redis.call('sadd', keys.changed, unpack(changed)) end
return outcomes
