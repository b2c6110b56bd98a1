-- Make schedules known: notes creation and change, and says from when each one is to be resumed.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), unclaimed (s), key patterns}
-- ARGV[2]: JSON list of schedules {uid, name, fingerprint, summary, task, queue, since (ms), added}
-- Returns per schedule {outcome, high-water mark (ms, 0: none), time of the last change (s)}

local context = cjson.decode(ARGV[1])
local function seconds(ms) return string.format('%.3f', ms / 1000) end
-- A clock that is far ahead must not put marks and changes into the future: nothing would be due until then.
local time = redis.call('time')
local redis_now = time[1] * 1000 + math.floor(time[2] / 1000)
local function sane(ms) return ms > redis_now + context.ahead_limit and redis_now or ms end
local now = seconds(sane(context.now))
local replies = {}

for index, entry in ipairs(cjson.decode(ARGV[2])) do
  local key = string.format(context.schedule, entry.uid)
  local known = redis.call('hmget', key, 'fingerprint', 'changed_at')
  local claimed = tonumber(redis.call('zscore', context.schedules, entry.uid) or 0)
  -- Added while a scheduler ran, and nobody else runs it: deleted some time ago and created again.
  local abandoned = entry.added and claimed < now - context.unclaimed
  local outcome, changed = 'known', known[2]
  if not known[1] or known[1] == 'deleted' or abandoned then
    redis.call('del', key, string.format(context.recent, entry.uid))
    -- nothing that was due before is ever made up for
    local since = sane(entry.since)
    redis.call('hset', context.marks, entry.uid, string.format('%.0f', since))
    redis.call('hdel', context.buffered, entry.uid)
    outcome, changed = 'created', seconds(since)
    redis.call('hset', key, 'created_at', changed)
  elseif known[1] ~= entry.fingerprint then
    -- a run that waits was asked for by the old spec
    redis.call('hdel', context.buffered, entry.uid)
    outcome, changed = 'changed', now
  end
  if outcome ~= 'known' then
    redis.call('hset', key, 'uid', entry.uid, 'name', entry.name, 'fingerprint', entry.fingerprint, 'spec', entry.summary,
      'task', entry.task, 'queue', entry.queue, 'suspended', entry.suspended, 'changed_at', changed)
    redis.call('hset', context.names, entry.name, entry.uid)
  end
  redis.call('zadd', context.schedules, now, entry.uid)
  replies[index] = {outcome, redis.call('hget', context.marks, entry.uid) or '0', changed}
end
return replies
