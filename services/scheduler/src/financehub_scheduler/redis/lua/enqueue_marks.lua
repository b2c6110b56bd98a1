-- Part of enqueue.lua, pass 1: the schedules and the fence of due runs, the high-water mark.

-- Uid → {record (key), backlog_key, fingerprint, last_id (newest message), last_is_fresh (whether this batch has enqueued
-- it), runs (number of scheduled runs), last_due (ms), changed_at (last change or resumption, ms), mark (ms),
-- moved_mark (text; false if the mark has not moved), plan_is_void, backlog (length of its list of runs; false
-- if it is not bounded), changed (its status must be checked)}
local schedules, uids, outcomes = {}, {}, {}

local function read_schedule(uid)
  local record = schedule_key(uid)
  local known = redis.call('hmget', record, field.fingerprint, field.last_message_id, field.runs, field.last_due_at,
    field.changed_at)
  uids[#uids + 1] = uid
  return {record = record, backlog_key = backlog_key(uid), fingerprint = known[1], last_id = known[2],
    last_is_fresh = false, runs = number(known[3]), last_due = milliseconds(known[4]),
    changed_at = milliseconds(known[5]), mark = 0, moved_mark = false, plan_is_void = false, backlog = false,
    changed = false}
end

-- Uid → entry of each paused schedule among those of the batch.
local paused = {}

local function check_pause(run)
  return paused[run.uid] and (run.kind == 'due' or run.kind == 'buffered') and 'paused' or nil
end

-- The due times until the last change are settled, except the pending ones that the change has kept. Only a scheduler
-- that knows of this change submits those. Another one may have been cut off from Redis during a pause and its end.
local function pass_change(schedule, run)
  local changed_at = schedule.changed_at
  if run.since == changed_at or changed_at > redis_now + context.ahead_limit then return end
  schedule.mark = math.max(schedule.mark, changed_at)
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
  if is_exhausted(schedule, run) then return 'exhausted' end
  schedule.mark, schedule.moved_mark = run.due, run.due_text
  if run.missed then
    increase(schedule.record, field.missed, run.missed)
    schedule.changed = true
  end
end
