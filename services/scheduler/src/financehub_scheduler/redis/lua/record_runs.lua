-- Record enqueued runs: create each run's record unless a worker has already created it, and add it to the schedule's
-- newest runs.
-- ARGV[1]: JSON context {run_ttl (s)}; ARGV[2]: JSON list of {uid, id, task, queue, schedule, due (ms), at (s)}

local context = cjson.decode(ARGV[1])
local runs = cjson.decode(ARGV[2])
for _, run in ipairs(runs) do
  redis.call('hlen', schedule_key(run.uid))
  redis.call('llen', recent_runs_key(run.uid))
end
for _, run in ipairs(runs) do
  local record = run_key(run.id)
  if redis.call('exists', record) == 0 then
    redis.call('hset', record, run_field.state, 'queued', run_field.task, run.task, run_field.queue, run.queue,
      run_field.schedule, run.schedule, run_field.schedule_uid, run.uid, run_field.due_at, run.due / 1000,
      run_field.enqueued_at, run.at, run_field.correlation_id, run.id)
    redis.call('expire', record, context.run_ttl)
  end
  -- A schedule that was deleted in the meantime must not reappear.
  if is_registered(schedule_key(run.uid)) then
    local recent = recent_runs_key(run.uid)
    -- The scheduler records runs again if the reply was lost.
    if not redis.call('lpos', recent, run.id) and redis.call('lpush', recent, run.id) > 10 then
      redis.call('ltrim', recent, 0, 9)
    end
  end
end
return redis.status_reply('OK')
