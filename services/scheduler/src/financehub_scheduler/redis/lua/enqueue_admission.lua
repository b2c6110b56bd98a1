-- Part of enqueue.lua: whether a run may be enqueued now, by maxRuns, its concurrency policy and the backlog.

-- Whether the schedule has had all of its runs. maxRuns counts the due runs that were enqueued, in `schedule.runs`. Those
-- that were skipped or missed do not count, and buffered ones count when they are released.
local function is_exhausted(schedule, run) return run.max_runs and schedule.runs >= run.max_runs end

-- Returns the state of a run that is queued, running or waiting for a retry, otherwise nil. The queue takes precedence
-- over the record: a run whose message is still in the queue has not ended, and a deleted message must not block its
-- schedule. A retry has a new message, whose id is not known here, so the record of a retry is trusted until
-- active_limit after the first enqueue.
local function state_of(id, queue)
  if not id then return nil end
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
  -- The message of a run of this batch may not be written yet.
  if run.policy ~= 'Allow' then state = schedule.last_is_fresh and 'queued' or state_of(schedule.last_id, run.queue) end
  if state then
    if run.policy ~= 'Replace' or run.kind == 'backfill' then return 'overlap' end
    if state == 'queued' and is_waiting(schedule.last_id, run.queue) then replaced = schedule.last_id end
  end
  -- Without maxQueueDepth, a backfill also leaves room in its queue. That does not raise the limit of unfinished runs.
  local max_depth = run.max_depth or (run.kind == 'backfill' and context.backfill_depth)
  if max_depth and depth(run.queue) - (replaced and 1 or 0) > max_depth then return 'backlog' end
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
