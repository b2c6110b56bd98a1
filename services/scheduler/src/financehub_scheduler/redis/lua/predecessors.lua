-- Read what followers need to know about their predecessors, in one step.
-- ARGV[1]: JSON list of predecessors {name, whether the spec is wanted}
-- ARGV[2]: JSON list of the uids of the followers
-- Returns {for each predecessor {fingerprint (false if it is not registered), suspended, time of the last success (s),
-- whether it is paused, its spec}, for each follower the time of its last change or resumption (s)}

local wanted, followers = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
check_types()
local field = schedule_field
local predecessors, changed = {}, {}
for index, entry in ipairs(wanted) do
  local uid = redis.call('hget', keys.names, entry[1])
  -- A record of another type counts as missing. The scheduler that runs the schedule sets it aside.
  local known = uid and fields_of(schedule_key(uid), field.fingerprint, field.suspended, field.last_success_at) or {}
  local spec = uid and entry[2] and fields_of(schedule_key(uid), field.spec)[1]
  local paused = uid and redis.call('hexists', keys.paused, uid) or 0
  predecessors[index] = {known[1] or false, known[2] or '', known[3] or '', paused, spec or ''}
end
for index, uid in ipairs(followers) do
  changed[index] = fields_of(schedule_key(uid), field.changed_at)[1] or ''
end
return {predecessors, changed}
