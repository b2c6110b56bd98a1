-- Part of enqueue.lua: the queues, and the messages that are not written yet.

-- Name → {ids, bodies: arguments for the queue's list and its hash; count: number of ids; stored: length of the hash, nil
-- before it is read}
local queues = {}

local function flush(name)
  local queue = queues[name]
  if queue.count == 0 then return end
  redis.call('hset', messages_key(name), unpack(queue.bodies))
  redis.call('rpush', queue_key(name), unpack(queue.ids))
  queue.ids, queue.bodies, queue.count, queue.stored = {}, {}, 0, nil
end

local function depth(name)
  local queue = queues[name]
  if not queue.stored then queue.stored = redis.call('hlen', messages_key(name)) end
  return queue.stored + queue.count
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
  local queue, id = queues[run.queue], run.id
  local count = queue.count + 1
  queue.count, queue.ids[count], queue.bodies[2 * count - 1], queue.bodies[2 * count] = count, id, id, run.message
  if count == 500 then flush(run.queue) end
  if is_bounded(run) then schedule.backlog = redis.call('rpush', schedule.backlog_key, id) end
  redis.call('hset', schedule.record, field.last_message_id, id, ...)
  schedule.last_id, schedule.last_is_fresh, schedule.changed = id, true, true
  return 'enqueued'
end
