-- Deactivate schedules that their source currently refuses. Replacing the registered fingerprint keeps schedulers that
-- still have the old spec from firing it, and makes the next registration count as a change.
-- ARGV[1]: JSON list of {uid, next runs as JSON}

local entries = cjson.decode(ARGV[1])
check_types()
for _, entry in ipairs(entries) do redis.call('hlen', schedule_key(entry[1])) end
for _, entry in ipairs(entries) do
  local uid, next_runs = entry[1], entry[2]
  local record = schedule_key(uid)
  if is_registered(record) then
    redis.call('hset', record, schedule_field.fingerprint, fingerprints.deactivated)
    drop_buffered_runs(uid)
    redis.call('hset', keys.next_runs, uid, next_runs)
  end
end
return redis.status_reply('OK')
