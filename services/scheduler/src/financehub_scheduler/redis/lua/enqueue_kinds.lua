-- Part of enqueue.lua, pass 2: one function per kind of run.

-- Each kind has its own fence: a condition that is true before the enqueue and false after it. Pass 1 has checked the
-- fence of due runs, the high-water mark.
local kinds = {}
-- Whether any run of any schedule is buffered.
local any_buffered = false

-- A due time in ms as text, in seconds.
local due_seconds = memoized(function(text) return seconds(number(text)) end)

local function enqueue_scheduled(schedule, run)
  schedule.runs = schedule.runs + 1
  -- Under `Allow`, a due run may be enqueued before one that was buffered under the policy before an edit.
  local newest = schedule.last_due
  if newest <= run.due or newest > redis_now + context.ahead_limit then
    newest = run.due
  end
  schedule.last_due = newest
  local last_due_at = newest == run.due and due_seconds(run.due_text) or seconds(newest)
  return enqueue(schedule, run, field.runs, integer(schedule.runs), field.last_due_at, last_due_at)
end

-- Returns the outcome of a due run that must wait for others, otherwise nil. Runs that wait already come first. Only an
-- empty buffer leaves a full queue (`backlog`) to the caller under BufferAll, because a run that waits needs no room yet.
local function buffer(schedule, run, admission)
  drop_damaged_runs(run.uid, latest_time(redis_now, context.ahead_limit))
  local waiting, all = buffered_runs(run.uid), run.policy == 'BufferAll'
  if admission ~= 'overlap' and (waiting == 0 or (admission == 'backlog' and not all)) then return nil end
  if waiting >= (all and backlog_limit(run) or 1) then return skip(schedule, all and 'backlog' or 'overlap') end
  -- Those that wait will be the last ones, unless a change drops them.
  if run.max_runs and schedule.runs + waiting >= run.max_runs then return skip(schedule, 'overlap') end
  buffer_run(run.uid, run.due)
  any_buffered, schedule.changed = true, true
  return 'buffered'
end

-- Whether a run waits that was buffered under the policy before an edit. A due run does not overtake it.
local function has_buffered(run)
  if not any_buffered or redis.call('hexists', keys.buffered, run.uid) == 0 then return false end
  drop_damaged_runs(run.uid, latest_time(redis_now, context.ahead_limit))
  return buffered_runs(run.uid) > 0
end

function kinds.due(schedule, run)
  if run.message == '' then return 'missed' end
  -- An earlier run of this batch may have been the last one.
  if is_exhausted(schedule, run) then return 'exhausted' end
  local buffers = run.policy == 'BufferOne' or run.policy == 'BufferAll'
  if not buffers and run.policy ~= 'Allow' and has_buffered(run) then return skip(schedule, 'overlap') end
  local admission = admit(schedule, run)
  local outcome = buffers and buffer(schedule, run, admission)
  if outcome then return outcome end
  if admission ~= 'go' then return skip(schedule, admission) end
  return enqueue_scheduled(schedule, run)
end

function kinds.buffered(schedule, run)
  -- OnDemandRuns submits a damaged entry with the due time 0, only so that it is dropped.
  drop_damaged_runs(run.uid, latest_time(redis_now, context.ahead_limit))
  if redis.call('hget', keys.buffered, run.uid) ~= run.due_text then return 'already' end
  if is_exhausted(schedule, run) then
    drop_buffered_runs(run.uid)
    schedule.changed = true
    return 'exhausted'
  end
  if admit(schedule, run) ~= 'go' then return 'wait' end
  pop_buffered_run(run.uid)
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
  redis.call('hset', backfill, backfill_field.cursor, run.due_text)
  increase(backfill, backfill_field.enqueued, 1)
  increase(schedule.record, field.backfilled, 1)
  return enqueue(schedule, run)
end
