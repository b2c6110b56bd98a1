-- Enqueue a batch of runs in one atomic step: check the fence, the overlap and the backlog of each run, and store its
-- message.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), skipped_ttl (s), active_limit (ms), max_backlog,
-- max_backlog_with_depth, active (states)}
-- ARGV[2]: JSON list of runs (for the fields, see `encode` in enqueuer.py)
-- ARGV[3…]: one message per run; an empty one only moves the high-water mark
-- Returns one enqueue outcome per run. `moved` is followed by a colon and the high-water mark in Redis (ms), `ahead` by
-- a colon and Redis's time (ms).
--
-- The outcomes of due runs:
--
--   outcome           mark moved?  message stored?  who acts next
--   enqueued          yes          yes              a worker runs the task
--   missed            yes          no               nobody: the due times are given up
--   overlap, backlog  yes          no               nobody: the due time is skipped
--   buffered          yes          no               OnDemandRuns submits it every second as a run of kind `buffered`
--   already           no           no               nobody: the due time was settled before
--   paused            no           no               the engine stops the schedule until somebody resumes it
--   exhausted         no           no               the engine stops the schedule
--   moved             no           no               the engine plans again from the mark in the answer
--   ahead             no           no               the engine pauses and submits the run again
--   unknown           no           no               the engine registers the schedule again
--   changed, deleted  no           no               the engine stops it until the source reports a newer state
--
-- Runs on demand (buffered, annotation, request, backfill) have their own fences and never move the mark. A pause holds
-- back only the buffered ones among them, because nobody has requested these. Two outcomes, both without a message,
-- exist only for them: `refused` (the trigger is deleted) and `wait` (OnDemandRuns submits the run again).
--
-- The script makes two passes over the batch. They share the state of each schedule (`schedules`):
-- 1. Read the schedules. Reject runs of an outdated spec, and check the due runs against the high-water marks.
-- Between the passes, it writes all marks. If a later command fails, a run is missing, but none is enqueued twice.
-- 2. For each remaining run, in order, check overlap and backlog, then enqueue the run or skip it with a reason.
-- A thousand schedules may be due at the same instant. Therefore, marks are read and written once per batch, messages are
-- written to their queues 500 at a time, and run records are written afterward (record_runs.lua).

local context = cjson.decode(ARGV[1])
local runs = cjson.decode(ARGV[2])
local now, redis_now = context.now, redis_time()
local at = seconds(now)
local field = schedule_field
local active_states = {}
for _, state in ipairs(context.active) do active_states[state] = true end

-- queues: the messages that are not written yet ---------------------------------------------------

-- Name → {ids, bodies: arguments for the queue's list and its hash; stored: length of the hash, nil before it is read}
local queues = {}
-- Ids enqueued by this batch.
local fresh = {}

local function flush(name)
  local queue = queues[name]
  if #queue.ids == 0 then return end
  redis.call('hset', messages_key(name), unpack(queue.bodies))
  redis.call('rpush', queue_key(name), unpack(queue.ids))
  queue.ids, queue.bodies, queue.stored = {}, {}, nil
end

local function depth(name)
  local queue = queues[name]
  if not queue.stored then queue.stored = redis.call('hlen', messages_key(name)) end
  return queue.stored + #queue.ids
end

-- Whether the schedule's unfinished runs are counted. Forbid and BufferOne allow one at a time.
local function is_bounded(run) return run.policy == 'Allow' or run.policy == 'Replace' end

-- The largest number of the schedule's unfinished runs. A schedule that sets maxQueueDepth may have more of them.
local function backlog_limit(run)
  if not run.max_depth then return context.max_backlog end
  return math.max(context.max_backlog, math.min(run.max_depth + 1, context.max_backlog_with_depth))
end

-- Stores a message and writes the given fields of the schedule record.
local function enqueue(schedule, run, ...)
  local queue = queues[run.queue]
  queue.ids[#queue.ids + 1] = run.id
  queue.bodies[#queue.bodies + 1], queue.bodies[#queue.bodies + 2] = run.id, run.message
  if #queue.ids == 500 then flush(run.queue) end
  fresh[run.id] = true
  if is_bounded(run) then schedule.backlog = redis.call('rpush', backlog_key(run.uid), run.id) end
  redis.call('hset', schedule.record, field.last_message_id, run.id, ...)
  schedule.last_id, schedule.changed = run.id, true
  return 'enqueued'
end

-- overlap and backlog -----------------------------------------------------------------------------

-- Returns the state of a run that is queued, running or waiting for a retry, otherwise nil. The queue takes precedence
-- over the record: a run whose message is still in the queue has not ended, and a deleted message must not block its
-- schedule. A retry has a new message, whose id is not known here, so the record of a retry is trusted until
-- active_limit after the first enqueue.
local function state_of(id, queue)
  if not id then return nil end
  if fresh[id] then return 'queued' end
  local run = fields_of(run_key(id), run_field.state, run_field.queue, run_field.redis_id, run_field.enqueued_at)
  local state = run[1] or 'queued'
  if not active_states[state] then return nil end
  local active
  if state == 'retrying' then
    active = now - number(run[4]) * 1000 < context.active_limit
  else
    active = redis.pcall('hexists', messages_key(run[2] or queue), run[3] or id) == 1
  end
  return active and state or nil
end

-- Ends the record of a run that has no message. No worker's event will ever bring it to those that are kept per task,
-- so it must not stay as long as they do.
local function end_skipped(id, ...)
  -- not `call`, because the key may have another type, and the message is what matters
  redis.pcall('hset', run_key(id), run_field.state, 'skipped', run_field.finished_at, at, ...)
  redis.call('expire', run_key(id), context.skipped_ttl)
end

-- Whether a run's message is in its queue, and no worker has fetched it yet.
local function is_waiting(id, queue)
  flush(queue)
  return redis.call('lpos', queue_key(queue), id, 'rank', -1) and true or false
end

-- Removes a waiting run from its queue.
local function replace(id, run)
  redis.call('lrem', queue_key(run.queue), -1, id)
  redis.call('hdel', messages_key(run.queue), id)
  redis.call('lrem', backlog_key(run.uid), -1, id)
  queues[run.queue].stored = nil
  end_skipped(id, run_field.error, 'replaced by the next run')
end

-- Whether the schedule may have another unfinished run: one whose message is in its queue, or waits for a retry in the
-- delay queue. Its list of runs also has those that have ended, until it is full. `replaced` is the id of a run that
-- leaves the queue if there is room.
local function has_room(schedule, run, replaced)
  local key, limit = backlog_key(run.uid), backlog_limit(run)
  if schedule.backlog < limit then return true end
  flush(run.queue)
  if replaced then limit = limit + 1 end
  local waiting = {}
  -- No more than any run of the schedule may count, because another program may have made the list longer than Lua can
  -- handle at once.
  for _, id in ipairs(redis.call('lrange', key, -context.max_backlog_with_depth - 1, -1)) do
    -- a retry has a new message, which only the record of the run names
    if redis.call('hexists', messages_key(run.queue), id) == 1 or state_of(id, run.queue) then
      waiting[#waiting + 1] = id
    end
  end
  redis.call('del', key)
  if #waiting > 0 then redis.call('rpush', key, unpack(waiting)) end
  return #waiting < limit
end

-- Checks the concurrency policy and the backlog. Returns 'go', or the reason to skip the run. With 'go', a run that it
-- replaces is gone.
local function admit(schedule, run)
  local state, replaced = nil, nil
  if run.policy ~= 'Allow' then state = state_of(schedule.last_id, run.queue) end
  if state then
    if run.policy ~= 'Replace' or run.kind == 'backfill' then return 'overlap' end
    if state == 'queued' and is_waiting(schedule.last_id, run.queue) then replaced = schedule.last_id end
  end
  if run.max_depth and depth(run.queue) - (replaced and 1 or 0) > run.max_depth then return 'backlog' end
  if is_bounded(run) and not has_room(schedule, run, replaced) then return 'backlog' end
  if replaced then replace(replaced, run) end
  return 'go'
end

local function skip(schedule, reason)
  increase(schedule.record, field['skipped_' .. reason], 1)
  redis.call('hset', schedule.record, field.last_skip_reason, reason, field.last_skip_at, at)
  schedule.changed = true
  return reason
end

-- pass 2: one function per kind of run ------------------------------------------------------------

-- Each kind has its own fence: a condition that is true before the enqueue and false after it. Pass 1 has checked the
-- fence of due runs, the high-water mark.
local kinds = {}

local function enqueue_scheduled(schedule, run)
  schedule.runs = schedule.runs + 1
  return enqueue(schedule, run, field.runs, schedule.runs, field.last_due_at, seconds(run.due))
end

function kinds.due(schedule, run)
  if run.message == '' then return 'missed' end
  local admission = admit(schedule, run)
  if run.policy == 'BufferOne' then
    if admission == 'overlap' then
      if redis.call('hsetnx', keys.buffered, run.uid, integer(run.due)) == 1 then return 'buffered' end
      return skip(schedule, admission)
    end
    -- At most one run is buffered, and it runs first.
    if admission == 'go' and redis.call('hexists', keys.buffered, run.uid) == 1 then
      return skip(schedule, 'overlap')
    end
  end
  if admission ~= 'go' then return skip(schedule, admission) end
  return enqueue_scheduled(schedule, run)
end

function kinds.buffered(schedule, run)
  if redis.call('hget', keys.buffered, run.uid) ~= integer(run.due) then return 'already' end
  if admit(schedule, run) ~= 'go' then return 'wait' end
  redis.call('hdel', keys.buffered, run.uid)
  return enqueue_scheduled(schedule, run)
end

local function trigger(schedule, run)
  local admission = run.refused and 'refused' or admit(schedule, run)
  if admission == 'go' then
    increase(schedule.record, field.triggered, 1)
    return enqueue(schedule, run)
  end
  -- The client that requested the run watches the run record, so the reason is stored there.
  end_skipped(run.id, run_field.task, run.task, run_field.queue, run.queue, run_field.schedule, run.schedule,
    run_field.schedule_uid, run.uid, run_field.error, run.refused or admission, run_field.enqueued_at, at)
  return skip(schedule, admission)
end

-- The trigger annotation: every new value starts one run.
function kinds.annotation(schedule, run)
  if redis.call('hget', schedule.record, field.trigger) == run.fence then return 'already' end
  redis.call('hset', schedule.record, field.trigger, run.fence)
  return trigger(schedule, run)
end

-- A trigger from the command line: the request is deleted when it is carried out.
function kinds.request(schedule, run)
  if redis.call('hexists', keys.triggers, run.fence) == 0 then return 'already' end
  local outcome = trigger(schedule, run)
  redis.call('hdel', keys.triggers, run.fence)
  return outcome
end

-- A backfill never skips a run; it waits until the run can be enqueued. Its cursor is the fence.
function kinds.backfill(schedule, run)
  local backfill = backfill_key(run.fence)
  local cursor = fields_of(backfill, backfill_field.cursor)[1]
  if not cursor then return 'deleted' end
  if number(cursor) >= run.due then return 'already' end
  if admit(schedule, run) ~= 'go' then return 'wait' end
  redis.call('hset', backfill, backfill_field.cursor, integer(run.due))
  increase(backfill, backfill_field.enqueued, 1)
  increase(schedule.record, field.backfilled, 1)
  return enqueue(schedule, run)
end

-- pass 1: the schedules and their high-water marks ------------------------------------------------

-- Uid → {record (key), fingerprint, last_id (newest message), runs (number of scheduled runs), last_due (s),
-- changed_at (last change or resumption, ms), mark (ms), passed (runs that passed the mark), mark_moved, plan_is_void,
-- backlog (length of its list of runs, if it is bounded), changed (its status must be checked)}
local schedules, uids, outcomes = {}, {}, {}

local function read_schedule(uid)
  local record = schedule_key(uid)
  local known = redis.call('hmget', record, field.fingerprint, field.last_message_id, field.runs, field.last_due_at,
    field.changed_at)
  uids[#uids + 1] = uid
  return {record = record, fingerprint = known[1], last_id = known[2], runs = number(known[3]), last_due = known[4],
    changed_at = number(known[5]) * 1000, passed = 0}
end

-- Uid → entry of each paused schedule among those of the batch.
local paused = {}

local function check_pause(run)
  return paused[run.uid] and (run.kind == 'due' or run.kind == 'buffered') and 'paused' or nil
end

-- A scheduler that was cut off from Redis may have missed a pause and its end. The due times until its end are settled.
local function pass_resumption(schedule, run)
  local from = math.floor(schedule.changed_at + 0.5) - (run.offset or 0)
  if schedule.changed_at <= redis_now + context.ahead_limit and from > schedule.mark then schedule.mark = from end
end

local function check_fingerprint(schedule, run)
  if not schedule.fingerprint then return 'unknown' end
  if schedule.fingerprint == run.fingerprint then return nil end
  return schedule.fingerprint == fingerprints.deleted and 'deleted' or 'changed'
end

-- The fence of due runs. Moves the mark and returns nil if the run may be enqueued, otherwise returns the outcome.
local function check_mark(schedule, run)
  if schedule.mark >= run.due then return 'already' end
  -- A scheduler whose clock is far ahead must not move marks into the future: the schedule would not run until then.
  if run.due > redis_now + context.ahead_limit then return 'ahead:' .. integer(redis_now) end
  -- Missed runs are counted from the mark that the scheduler planned with. If another scheduler has moved it, the plan
  -- is void.
  if schedule.plan_is_void or (run.expected and schedule.mark > run.expected) then
    schedule.plan_is_void = true
    return 'moved:' .. integer(schedule.mark)
  end
  if run.max_runs and schedule.runs + schedule.passed >= run.max_runs then return 'exhausted' end
  if run.message ~= '' then schedule.passed = schedule.passed + 1 end
  schedule.mark, schedule.mark_moved = run.due, true
  if run.missed then
    increase(schedule.record, field.missed, run.missed)
    schedule.changed = true
  end
end

-- the batch ---------------------------------------------------------------------------------------

for index, run in ipairs(runs) do
  run.message = ARGV[index + 2]
  schedules[run.uid] = schedules[run.uid] or read_schedule(run.uid)
  if is_bounded(run) and not schedules[run.uid].backlog then
    schedules[run.uid].backlog = redis.call('llen', backlog_key(run.uid))
  end
  if not queues[run.queue] then
    redis.call('llen', queue_key(run.queue))
    queues[run.queue] = {ids = {}, bodies = {}, stored = redis.call('hlen', messages_key(run.queue))}
  end
end
check_types()
for index, mark in ipairs(redis.call('hmget', keys.high_water_marks, unpack(uids))) do
  local schedule = schedules[uids[index]]
  schedule.mark = checked_mark(mark, schedule.last_due, 0, redis_now, context.ahead_limit)
end
if redis.call('hlen', keys.paused) > 0 then
  for index, entry in ipairs(redis.call('hmget', keys.paused, unpack(uids))) do paused[uids[index]] = entry end
end
for index, run in ipairs(runs) do
  local schedule = schedules[run.uid]
  if run.kind == 'due' then pass_resumption(schedule, run) end
  outcomes[index] = check_fingerprint(schedule, run) or check_pause(run)
    or (run.kind == 'due' and check_mark(schedule, run) or nil)
end

local moved_marks = {}
for _, uid in ipairs(uids) do
  if schedules[uid].mark_moved then
    moved_marks[#moved_marks + 1], moved_marks[#moved_marks + 2] = uid, integer(schedules[uid].mark)
  end
end
if #moved_marks > 0 then redis.call('hset', keys.high_water_marks, unpack(moved_marks)) end

for index, run in ipairs(runs) do
  local schedule = schedules[run.uid]
  if not outcomes[index] then
    outcomes[index] = kinds[run.kind](schedule, run)
  elseif outcomes[index] == 'exhausted' and schedule.runs < run.max_runs then
    -- Pass 1 counted an earlier run of this batch that pass 2 then skipped.
    outcomes[index] = 'moved:' .. integer(schedule.mark)
  end
end
for name in pairs(queues) do flush(name) end
local changed = {}
for _, uid in ipairs(uids) do
  if schedules[uid].changed then changed[#changed + 1] = uid end
end
if #changed > 0 then redis.call('sadd', keys.changed, unpack(changed)) end
return outcomes
