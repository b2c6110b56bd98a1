-- Read what followers need to know about their predecessors, in one step.
-- ARGV[1]: JSON list of predecessors {name, uid if this scheduler runs it, otherwise empty}
-- Returns for each predecessor {fingerprint (false if it is not registered), suspended, time of the newest success (s),
-- whether it is paused, its spec, time of its last claim (s)}. The last two are empty unless another scheduler runs it.

local field = schedule_field
local wanted, names, replies = cjson.decode(ARGV[1]), {}, {}
check_types()
for index, entry in ipairs(wanted) do names[index] = entry[1] end
local uids = #names > 0 and redis.call('hmget', keys.names, unpack(names)) or {}
local any_paused = redis.call('hlen', keys.paused) > 0
for index, entry in ipairs(wanted) do
  -- The names in Redis may be damaged, and the scheduler knows those of its own schedules.
  local is_foreign = entry[2] == ''
  local uid = is_foreign and uids[index] or not is_foreign and entry[2]
  -- A record of another type counts as missing. The scheduler that runs the schedule sets it aside.
  local known = uid and fields_of(schedule_key(uid), field.fingerprint, field.suspended, field.last_success_at) or {}
  local paused = uid and any_paused and redis.call('hexists', keys.paused, uid) or 0
  local reply = {known[1] or false, known[2] or '', known[3] or '', paused, '', ''}
  if uid and is_foreign then
    reply[5] = fields_of(schedule_key(uid), field.spec)[1] or ''
    reply[6] = redis.call('zscore', keys.schedules, uid) or ''
  end
  replies[index] = reply
end
return replies
