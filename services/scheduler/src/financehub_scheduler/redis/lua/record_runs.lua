-- Record enqueued runs: create each run's record unless a worker has already created it, and add it to the schedule's
-- newest runs.
-- ARGV[1]: lifetime of a record (s); ARGV[2]: JSON list of texts, seven per run: uid, id, task, queue, schedule, due time
-- (s), time of the enqueue (s)

local texts = cjson.decode(ARGV[2])
-- A schedule that was deleted in the meantime must not reappear, and the scheduler records runs again if the reply was
-- lost. These reads come first, so that a key of another type fails before the first write.
local is_new = {}
for first = 1, #texts, 7 do
  local uid, id = texts[first], texts[first + 1]
  is_new[id] = is_registered(schedule_key(uid)) and not redis.call('lpos', recent_runs_key(uid), id)
end
for first = 1, #texts, 7 do
  local uid, id = texts[first], texts[first + 1]
  local record = run_key(id)
  if redis.call('exists', record) == 0 then
    redis.call('hset', record, run_field.state, 'queued', run_field.task, texts[first + 2], run_field.queue,
      texts[first + 3], run_field.schedule, texts[first + 4], run_field.schedule_uid, uid, run_field.due_at,
      texts[first + 5], run_field.enqueued_at, texts[first + 6], run_field.correlation_id, id)
    redis.call('expire', record, ARGV[1])
  end
  if is_new[id] then
    is_new[id] = false
    local recent = recent_runs_key(uid)
    if redis.call('lpush', recent, id) > 10 then redis.call('ltrim', recent, 0, 9) end
  end
end
return redis.status_reply('OK')
