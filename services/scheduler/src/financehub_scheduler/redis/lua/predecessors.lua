-- Read what followers need to know about their predecessors, in one step.
-- ARGV[1]: JSON list of predecessors {name, whether the spec is wanted}
-- Returns for each predecessor {fingerprint (false if it is not registered), suspended, time of the newest success (s),
-- whether it is paused, its spec, time of its last claim (s)}

check_types()
local field = schedule_field
local replies = {}
for index, entry in ipairs(cjson.decode(ARGV[1])) do
  local uid = redis.call('hget', keys.names, entry[1])
  -- A record of another type counts as missing. The scheduler that runs the schedule sets it aside.
  local known = uid and fields_of(schedule_key(uid), field.fingerprint, field.suspended, field.last_success_at) or {}
  local spec = uid and entry[2] and fields_of(schedule_key(uid), field.spec)[1]
  local paused = uid and redis.call('hexists', keys.paused, uid) or 0
  local claimed = uid and redis.call('zscore', keys.schedules, uid) or ''
  replies[index] = {known[1] or false, known[2] or '', known[3] or '', paused, spec or '', claimed}
end
return replies
