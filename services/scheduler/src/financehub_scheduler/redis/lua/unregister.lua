-- Remove deleted schedules. For an hour, a tombstone lets slower schedulers see that the schedule was deleted and that
-- Redis has not lost its data.
-- ARGV[1]: JSON list of uids

local uids = cjson.decode(ARGV[1])
check_types()
for _, uid in ipairs(uids) do redis.call('hlen', schedule_key(uid)) end
for _, uid in ipairs(uids) do
  local record = schedule_key(uid)
  local name = redis.call('hget', record, schedule_field.name)
  -- A newer schedule may have the same name.
  if name and redis.call('hget', keys.names, name) == uid then redis.call('hdel', keys.names, name) end
  redis.call('del', record, recent_runs_key(uid), backlog_key(uid), schedule_backfills_key(uid))
  redis.call('hset', record, schedule_field.fingerprint, fingerprints.deleted)
  redis.call('expire', record, 3600)
  redis.call('hdel', keys.high_water_marks, uid)
  drop_buffered_runs(uid)
  redis.call('hdel', keys.next_runs, uid)
  redis.call('zrem', keys.schedules, uid)
  redis.call('srem', keys.changed, uid)
  redis.call('hdel', keys.failing, uid)
  redis.call('hdel', keys.paused, uid)
end
return redis.status_reply('OK')
