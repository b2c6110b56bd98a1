-- Register schedules: write the records of new and changed ones, and return the time from which each one resumes.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), unclaimed (s)}
-- ARGV[2]: JSON list of schedules {uid, name, fingerprint, spec, task, queue, suspended, since (ms),
-- keep_known_state}
-- Returns for each schedule {result, high-water mark (ms; 0 if there is none), time of the last change (s)}

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
for _, entry in ipairs(entries) do redis.call('hlen', schedule_key(entry.uid)) end

for index, entry in ipairs(entries) do
  local record = schedule_key(entry.uid)
  local known = redis.call('hmget', record, field.fingerprint, field.changed_at)
  local claimed = tonumber(redis.call('zscore', keys.schedules, entry.uid) or 0)
  -- Redis still has the record, but no scheduler has run the schedule lately: it was deleted some time ago and created
  -- again.
  local abandoned = not entry.keep_known_state and claimed < now - context.unclaimed
  local changed_at = number(known[2]) * 1000
  local result, changed = 'known', changed_at > 0 and not is_ahead(changed_at) and seconds(changed_at) or now
  if not known[1] or known[1] == fingerprints.deleted or abandoned then
    redis.call('del', record, recent_runs_key(entry.uid), backlog_key(entry.uid))
    -- Earlier due times are never caught up.
    local since = limited(entry.since)
    redis.call('hset', keys.high_water_marks, entry.uid, integer(since))
    redis.call('hdel', keys.buffered, entry.uid)
    result, changed = 'created', seconds(since)
    redis.call('hset', record, field.created_at, changed)
  elseif known[1] ~= entry.fingerprint then
    -- The buffered run belongs to the old spec.
    redis.call('hdel', keys.buffered, entry.uid)
    result, changed = 'changed', now
  end
  if result ~= 'known' then
    redis.call('hset', record, field.uid, entry.uid, field.name, entry.name, field.fingerprint, entry.fingerprint,
      field.spec, entry.spec, field.task, entry.task, field.queue, entry.queue, field.suspended, entry.suspended,
      field.changed_at, changed)
    redis.call('hset', keys.names, entry.name, entry.uid)
  end
  -- Redis may have lost the mark and the name of a known schedule, and another program may have damaged the mark. The
  -- scheduler's own mark is in `since`.
  local stored = redis.call('hget', keys.high_water_marks, entry.uid)
  local last_due = redis.call('hget', record, field.last_due_at)
  local mark = checked_mark(stored, last_due, limited(entry.since), redis_now, context.ahead_limit)
  if mark ~= number(stored) then redis.call('hset', keys.high_water_marks, entry.uid, integer(mark)) end
  redis.call('hsetnx', keys.names, entry.name, entry.uid)
  redis.call('zadd', keys.schedules, now, entry.uid)
  replies[index] = {result, integer(mark), changed}
end
return replies
