-- Remove deleted schedules. For an hour, a tombstone lets slower schedulers see that the schedule was deleted and that
-- Redis has not lost its data.
-- ARGV[1]: JSON list of {uid, time (ms) up to which every schedule that was created is deleted, time of creation (ms) of
-- the schedule that the scheduler knew, time of creation (ms) that it has requested without a reply}; 0 if there is none

local function remove(uid, record)
  local name = redis.call('hget', record, schedule_field.name)
  -- A newer schedule may have the same name.
  if name and redis.call('hget', keys.names, name) == uid then redis.call('hdel', keys.names, name) end
  local settled = redis.call('hget', keys.high_water_marks, uid) or redis.call('hget', record, schedule_field.settled)
  local trigger = redis.call('hget', record, schedule_field.trigger)
  redis.call('del', record, recent_runs_key(uid), backlog_key(uid), schedule_backfills_key(uid))
  redis.call('hset', record, schedule_field.fingerprint, fingerprints.deleted)
  -- A scheduler that has not noticed the deletion may register the schedule as a new one. Its messages would have the ids
  -- of those that were enqueued before.
  if settled then redis.call('hset', record, schedule_field.settled, settled) end
  -- If the schedule is created again with the same trigger annotation, this run has the same message id.
  if trigger then redis.call('hset', record, schedule_field.trigger, trigger) end
  redis.call('expire', record, 3600)
  redis.call('hdel', keys.high_water_marks, uid)
  drop_buffered_runs(uid)
  redis.call('hdel', keys.next_runs, uid)
  redis.call('zrem', keys.schedules, uid)
  redis.call('srem', keys.changed, uid)
  redis.call('hdel', keys.failing, uid)
  redis.call('hdel', keys.paused, uid)
end

local entries = cjson.decode(ARGV[1])
check_types()
for _, entry in ipairs(entries) do redis.call('hlen', schedule_key(entry[1])) end
for _, entry in ipairs(entries) do
  local record = schedule_key(entry[1])
  -- Another scheduler may have noticed the deletion earlier, and created the schedule again since. The counters, the mark,
  -- the pause and the buffered runs of the new one must stay. A schedule that the scheduler knew is recognized by its
  -- creation, because clocks can be wrong. One that it does not know is deleted only if it is surely older than the
  -- deletion: the scheduler may have missed that it was created again, or Redis may have lost its data since.
  local created_at = milliseconds(redis.call('hget', record, schedule_field.created_at))
  if created_at == entry[3] or created_at == entry[4] or created_at <= entry[2] then remove(entry[1], record) end
end
return redis.status_reply('OK')
