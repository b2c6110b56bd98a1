-- Part of enqueue.lua, pass 1: the schedules and the fence of due runs, the high-water mark.

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
