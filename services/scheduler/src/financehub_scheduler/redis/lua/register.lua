-- Register schedules: write the records of new and changed ones, and return the time from which each one resumes.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), unclaimed (s)}
-- ARGV[2]: JSON list of schedules {uid, name, fingerprint, spec, task, queue, suspended, since (ms),
-- keep_known_state, paused (entry of the pause that the scheduler remembers; missing if there is none)}
-- Returns for each schedule {result, high-water mark (ms; 0 if there is none), time of the last change or resumption (s),
-- entry of its pause (false if it is not paused)}

local context = cjson.decode(ARGV[1])
local redis_now = redis_time()
-- A scheduler whose clock is far ahead must not set marks and change times in the future, because nothing would be due
-- until then.
local function is_ahead(ms) return ms > redis_now + context.ahead_limit end
local function limited(ms) return is_ahead(ms) and redis_now or ms end
local now = seconds(limited(context.now))
local field = schedule_field
local replies = {}
local entries = cjson.decode(ARGV[2])
check_types()

-- All reads come first. If the type of a key is wrong, the script fails before its first write.
local uids, names, known = {}, {}, {}
for index, entry in ipairs(entries) do
  uids[index], names[index] = entry.uid, entry.name
  known[index] = redis.call('hmget', schedule_key(entry.uid), field.fingerprint, field.changed_at, field.last_due_at)
end
if #entries == 0 then return replies end
local claims = redis.call('zmscore', keys.schedules, unpack(uids))
local marks = redis.call('hmget', keys.high_water_marks, unpack(uids))
local named = redis.call('hmget', keys.names, unpack(names))
local pauses = redis.call('hmget', keys.paused, unpack(uids))
local new_marks, new_names, is_named, new_claims, outdated, unpaused, restored = {}, {}, {}, {}, {}, {}, {}
local function add(list, first, second) list[#list + 1], list[#list + 2] = first, second end

for index, entry in ipairs(entries) do
  local record = schedule_key(entry.uid)
  local fingerprint, changed_at, last_due = unpack(known[index], 1, 3)
  -- Redis still has the record, but no scheduler has run the schedule lately: it was deleted some time ago and created
  -- again.
  local abandoned = not entry.keep_known_state and number(claims[index]) < now - context.unclaimed
  changed_at = number(changed_at) * 1000
  local result, changed = 'known', changed_at > 0 and not is_ahead(changed_at) and seconds(changed_at) or now
  local since = limited(entry.since)
  -- Redis may have lost the mark of a known schedule, and another program may have damaged it. The scheduler's own mark
  -- is in `since`.
  local mark = checked_mark(marks[index], last_due, since, redis_now, context.ahead_limit)
  if not fingerprint or fingerprint == fingerprints.deleted or abandoned then
    redis.call('del', record, recent_runs_key(entry.uid), backlog_key(entry.uid))
    -- The backfills and the pause belong to the deleted schedule. If only the record is lost, they belong to this one.
    if fingerprint then redis.call('del', schedule_backfills_key(entry.uid)) end
    if fingerprint and pauses[index] then
      unpaused[#unpaused + 1] = entry.uid
      pauses[index] = false
    end
    -- In the same step that writes the lost record, because from then on a missing entry means that somebody has resumed
    -- the schedule.
    if not fingerprint and not pauses[index] and entry.paused then
      add(restored, entry.uid, entry.paused)
      pauses[index] = entry.paused
    end
    -- Earlier due times are never caught up.
    mark = since
    result, changed = 'created', seconds(since)
  elseif fingerprint ~= entry.fingerprint then
    result, changed = 'changed', now
  end
  if result ~= 'known' then
    -- The buffered runs and the failures in a row belong to the old spec.
    outdated[#outdated + 1] = entry.uid
    redis.call('del', buffered_key(entry.uid))
    redis.call('hset', record, field.uid, entry.uid, field.name, entry.name, field.fingerprint, entry.fingerprint,
      field.spec, entry.spec, field.task, entry.task, field.queue, entry.queue, field.suspended, entry.suspended,
      field.changed_at, changed)
    if result == 'created' then redis.call('hset', record, field.created_at, changed) end
  end
  -- Redis may have lost the name of a known schedule, and a new schedule may have the same name.
  if result ~= 'known' or not (named[index] or is_named[entry.name]) then
    add(new_names, entry.name, entry.uid)
    is_named[entry.name] = true
  end
  local mark_text = integer(mark)
  if mark_text ~= marks[index] then add(new_marks, entry.uid, mark_text) end
  add(new_claims, now, entry.uid)
  replies[index] = {result, mark_text, changed, pauses[index]}
end

if #outdated > 0 then
  redis.call('hdel', keys.buffered, unpack(outdated))
  redis.call('hdel', keys.failing, unpack(outdated))
end
if #unpaused > 0 then redis.call('hdel', keys.paused, unpack(unpaused)) end
if #restored > 0 then redis.call('hset', keys.paused, unpack(restored)) end
if #new_marks > 0 then redis.call('hset', keys.high_water_marks, unpack(new_marks)) end
if #new_names > 0 then redis.call('hset', keys.names, unpack(new_names)) end
redis.call('zadd', keys.schedules, unpack(new_claims))
return replies
