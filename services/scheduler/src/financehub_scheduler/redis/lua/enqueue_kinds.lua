-- Part of enqueue.lua, pass 2: one function per kind of run.

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
