-- Register schedules: write the records of new and changed ones, and return the time from which each one resumes.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), unclaimed (s)}
-- ARGV[2]: JSON list of schedules {uid, name, fingerprint, spec, task, queue, suspended, since (ms), keep_known_state},
-- with optional fields: paused (entry of the pause that the scheduler remembers), confirmed (whether the source has
-- confirmed the spec since another scheduler registered something else), pending (due times in ms that still run,
-- ascending), replaces (SHA-1 of the fingerprint that `pending` was computed for, because another program may have
-- written bytes that JSON cannot represent), dropped (number of older due times that would also have been pending, which
-- are missed)
-- Returns for each schedule {result, high-water mark (ms; 0 if there is none), time of the last change or resumption (s),
-- entry of its pause (false if it is not paused), pending due times as text, time of its creation (s)}
--
-- A due time that only waits for its jitter while its schedule is edited stays due, although the new spec need not yield
-- it. Lua cannot compute due times. Therefore, the first registration of an edit changes nothing and returns {'edited',
-- mark, time of the last change, pending due times, SHA-1 of the fingerprint, spec, number of runs, time of the newest
-- success of the schedule that it runs after (s)} of the stored schedule. The scheduler computes the pending due times and
-- registers the edit again. If another scheduler has changed the schedule in between, it gets the newer state.

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
  known[index] = redis.call('hmget', schedule_key(entry.uid), field.fingerprint, field.changed_at, field.last_due_at,
    field.pending, field.created_at)
end
if #entries == 0 then return replies end
local claims = redis.call('zmscore', keys.schedules, unpack(uids))
local marks = redis.call('hmget', keys.high_water_marks, unpack(uids))
local named = redis.call('hmget', keys.names, unpack(names))
local pauses = redis.call('hmget', keys.paused, unpack(uids))
local new_marks, new_names, is_named, new_claims = {}, {}, {}, {}
local outdated, unbuffered, unpaused, restored = {}, {}, {}, {}
local function add(list, first, second) list[#list + 1], list[#list + 2] = first, second end

-- The field `pending` begins with the time of the change that has kept the due times. After any other change, such as a
-- resumption, they do not count.
local function pending_of(stored, changed_at)
  local at, due_times = string.match(stored or '', '^(%S+) (.+)$')
  return at == changed_at and due_times or ''
end

-- The due times that a change keeps, as text. If it suspends the schedule, or if the schedule is paused, they never run:
-- the change that ends this does not keep them.
local function kept_due_times(entry, changed_at)
  local kept = {}
  for _, due in ipairs(entry.pending or {}) do
    if due <= changed_at * 1000 then kept[#kept + 1] = integer(due) end
  end
  return table.concat(kept, ' ')
end

-- The due times of an edit without those before the last change (ms), unless that change has kept them. A user may have
-- resumed the schedule after the first step of the edit, and what was due during a pause does not run.
local function left_due_times(due_times, stored, changed_at)
  if is_ahead(changed_at) then return due_times end
  local is_kept, left = {}, {}
  for text in string.gmatch(stored, '%S+') do is_kept[text] = true end
  for _, due in ipairs(due_times or {}) do
    if due > changed_at or is_kept[integer(due)] then left[#left + 1] = due end
  end
  return left
end

-- The time of the newest success of the schedule that a stored spec runs after, as text; empty if there is none.
local function newest_success(name, spec)
  local readable, stored = pcall(cjson.decode, spec or '')
  local after = readable and type(stored) == 'table' and stored.after
  if type(after) ~= 'string' then return '' end
  local uid = redis.call('hget', keys.names, string.match(name, '^[^/]*/') .. after)
  return uid and fields_of(schedule_key(uid), field.last_success_at)[1] or ''
end

-- Whether a name in Redis belongs to the schedule of an entry, or to another registered one.
local function has_name(uid, entry)
  if not uid or uid == entry.uid then return uid end
  local other = fields_of(schedule_key(uid), field.fingerprint, field.name)
  return other[1] and other[1] ~= fingerprints.deleted and other[2] == entry.name
end

local function register(index, entry)
  local record = schedule_key(entry.uid)
  local fingerprint, changed_at, last_due, stored, created_at = unpack(known[index], 1, 5)
  -- Redis still has the record, but no scheduler has run the schedule lately: it was deleted some time ago and created
  -- again.
  local abandoned = not entry.keep_known_state and number(claims[index]) < now - context.unclaimed
  local is_new = not fingerprint or fingerprint == fingerprints.deleted or abandoned
  local pending = pending_of(stored, changed_at)
  changed_at = number(changed_at) * 1000
  local result, changed = 'known', changed_at > 0 and not is_ahead(changed_at) and seconds(changed_at) or now
  local since = limited(entry.since)
  -- Redis may have lost the mark of a known schedule, and another program may have damaged it. The scheduler's own mark
  -- is in `since`, unless due times before it are pending.
  local otherwise = entry.pending and entry.pending[1] and entry.pending[1] - 1 or since
  local mark = checked_mark(marks[index], milliseconds(last_due), otherwise, redis_now, context.ahead_limit)
  if is_new then
    -- The scheduler may not have noticed a deletion yet. What was settled before the deletion is not settled again.
    local settled = number(redis.call('hget', record, field.settled))
    local trigger = redis.call('hget', record, field.trigger)
    redis.call('del', record, recent_runs_key(entry.uid), backlog_key(entry.uid), buffered_key(entry.uid))
    unbuffered[#unbuffered + 1] = entry.uid
    -- A trigger annotation that was carried out before the deletion is not carried out again.
    if trigger then redis.call('hset', record, field.trigger, trigger) end
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
    -- Earlier due times are never caught up, except those that a lost record had kept.
    mark = fingerprint and (is_ahead(settled) and since or math.max(since, settled)) or otherwise
    if fingerprint then entry.pending = nil end
    result, changed = 'created', seconds(since)
    -- A deletion is compared with this time. For a resource, `since` is a time of the API server, whose clock may be ahead.
    created_at = seconds(math.min(since, limited(context.now)))
  elseif fingerprint == fingerprints.deactivated and entry.confirmed
    and redis.call('hget', record, field.spec) == entry.spec then
    -- Another scheduler refuses a spec that this one accepts, such as an earlier release a field that it does not know.
    -- It was never invalid for this one, so what was due since then is subject to catch-up.
    redis.call('hset', record, field.fingerprint, entry.fingerprint)
  elseif fingerprint ~= entry.fingerprint then
    -- A deactivated schedule does not run, and so nothing of it is pending.
    local hash = redis.sha1hex(fingerprint)
    if entry.replaces ~= hash and fingerprint ~= fingerprints.deactivated then
      local fields = redis.call('hmget', record, field.spec, field.runs)
      return {'edited', integer(mark), changed, pending, hash, fields[1] or '', fields[2] or '0',
        newest_success(entry.name, fields[1])}
    end
    -- Everything that stops a schedule drops what was pending, also what the scheduler remembers.
    entry.pending = fingerprint ~= fingerprints.deactivated
      and left_due_times(entry.pending, pending, math.floor(changed_at + 0.5)) or nil
    -- The clock of this scheduler may be behind that of a user who has just resumed the schedule. What was due during the
    -- pause stays settled.
    result, changed = 'changed', is_ahead(changed_at) and now or seconds(math.max(limited(context.now), changed_at))
  end
  if result ~= 'known' then
    -- The failures in a row belong to the old spec. Buffered runs are due, so they run with the new one.
    outdated[#outdated + 1] = entry.uid
    if result == 'changed' and entry.suspended == 1 then drop_buffered_runs(entry.uid) end
    pending = kept_due_times(entry, tonumber(changed))
    if pending ~= '' and (entry.dropped or 0) > 0 then increase(record, field.missed, entry.dropped) end
    redis.call('hset', record, field.uid, entry.uid, field.name, entry.name, field.fingerprint, entry.fingerprint,
      field.spec, entry.spec, field.task, entry.task, field.queue, entry.queue, field.suspended, entry.suspended,
      field.changed_at, changed, field.pending, pending == '' and '' or changed .. ' ' .. pending)
    if result == 'created' then redis.call('hset', record, field.created_at, created_at) end
  end
  -- Redis may have lost the name of a known schedule, another program may have damaged it, and a new schedule may have
  -- the same name.
  if result ~= 'known' or not (has_name(named[index], entry) or is_named[entry.name]) then
    add(new_names, entry.name, entry.uid)
    is_named[entry.name] = true
  end
  local mark_text = integer(mark)
  if mark_text ~= marks[index] then add(new_marks, entry.uid, mark_text) end
  add(new_claims, now, entry.uid)
  return {result, mark_text, changed, pauses[index], pending, seconds(milliseconds(created_at))}
end

for index, entry in ipairs(entries) do replies[index] = register(index, entry) end
if #outdated > 0 then redis.call('hdel', keys.failing, unpack(outdated)) end
if #unbuffered > 0 then redis.call('hdel', keys.buffered, unpack(unbuffered)) end
if #unpaused > 0 then redis.call('hdel', keys.paused, unpack(unpaused)) end
if #restored > 0 then redis.call('hset', keys.paused, unpack(restored)) end
if #new_marks > 0 then redis.call('hset', keys.high_water_marks, unpack(new_marks)) end
if #new_names > 0 then redis.call('hset', keys.names, unpack(new_names)) end
if #new_claims > 0 then redis.call('zadd', keys.schedules, unpack(new_claims)) end
return replies
