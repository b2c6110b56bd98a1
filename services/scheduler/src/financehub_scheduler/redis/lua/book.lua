-- Note runs that were enqueued: their record, unless a worker was quicker, and their schedule's newest runs.
-- ARGV[1]: JSON context {run_ttl (s), key patterns}; ARGV[2]: JSON list of {uid, id, task, queue, schedule, due (ms), at (s)}

local context = cjson.decode(ARGV[1])
for _, run in ipairs(cjson.decode(ARGV[2])) do
  local record = string.format(context.run, run.id)
  if redis.call('exists', record) == 0 then
    redis.call('hset', record, 'state', 'queued', 'task', run.task, 'queue', run.queue, 'schedule', run.schedule,
      'schedule_uid', run.uid, 'due_at', run.due / 1000, 'enqueued_at', run.at, 'correlation_id', run.id)
    redis.call('expire', record, context.run_ttl)
  end
  -- a schedule that was deleted meanwhile is not brought back
  local known = redis.call('hget', string.format(context.schedule, run.uid), 'fingerprint')
  if known and known ~= 'deleted' then
    local recent = string.format(context.recent, run.uid)
    if redis.call('lpush', recent, run.id) > 10 then redis.call('ltrim', recent, 0, 9) end
  end
end
return redis.status_reply('OK')
