-- Part of enqueue.lua: the two passes over the batch.

for _, run in ipairs(runs) do
  local schedule = schedules[run.uid]
  if not schedule then
    schedule = read_schedule(run.uid)
    schedules[run.uid] = schedule
  end
  if is_bounded(run) and not schedule.backlog then schedule.backlog = redis.call('llen', schedule.backlog_key) end
  if run.policy == 'BufferAll' then redis.call('llen', buffered_key(run.uid)) end
  if run.kind == 'request' then redis.call('hexists', keys.triggers, run.fence) end
  if not queues[run.queue] then
    redis.call('llen', queue_key(run.queue))
    queues[run.queue] = {ids = {}, bodies = {}, count = 0, stored = redis.call('hlen', messages_key(run.queue))}
  end
end
-- As in `check_types`, only for the keys that this script writes.
any_buffered = redis.call('hlen', keys.buffered) > 0
redis.call('scard', keys.changed)
for index, mark in ipairs(redis.call('hmget', keys.high_water_marks, unpack(uids))) do
  local schedule = schedules[uids[index]]
  schedule.mark = checked_mark(mark, schedule.last_due, 0, redis_now, context.ahead_limit)
end
if redis.call('hlen', keys.paused) > 0 then
  for index, entry in ipairs(redis.call('hmget', keys.paused, unpack(uids))) do paused[uids[index]] = entry end
end
for index, run in ipairs(runs) do
  local schedule = schedules[run.uid]
  if run.kind == 'due' then pass_change(schedule, run) end
  outcomes[index] = check_fingerprint(schedule, run) or check_pause(run)
    or (run.kind == 'due' and check_mark(schedule, run) or nil)
end

local moved_marks = {}
for _, uid in ipairs(uids) do
  if schedules[uid].moved_mark then
    moved_marks[#moved_marks + 1], moved_marks[#moved_marks + 2] = uid, schedules[uid].moved_mark
  end
end
if #moved_marks > 0 then redis.call('hset', keys.high_water_marks, unpack(moved_marks)) end

for index, run in ipairs(runs) do
  local schedule = schedules[run.uid]
  if not outcomes[index] then outcomes[index] = kinds[run.kind](schedule, run) end
end
for name in pairs(queues) do flush(name) end
local changed = {}
for _, uid in ipairs(uids) do
  if schedules[uid].changed then changed[#changed + 1] = uid end
end
if #changed > 0 then redis.call('sadd', keys.changed, unpack(changed)) end
return outcomes
