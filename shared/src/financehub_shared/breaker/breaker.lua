-- One circuit breaker step, atomic across the fleet. It applies transitions.step() to the hash KEYS[1] and adds the
-- upstream's name to the set KEYS[2]. Python prepends a line that sets `now` (Unix ms) from Redis's TIME, so the pods'
-- clocks need not agree.
--
-- ARGV: upstream, operation, jitter, window_ms, window_calls, minimum_calls, failure_ratio, open_ms, open_max_ms,
-- probe_ms, then
--   for admit:  epoch and age in ms of each success not yet reported
--   for record: epoch, outcome, retry_after_ms, error
--   for force-open, close, reset: nothing
-- Returns decision, previous state, state, epoch, wait_ms, reason, error.

local JITTER_SHARE, DOUBLINGS_MAX = 0.2, 30
-- Longer than the longest accepted Retry-After (3 days). A breaker that is not used for this long is forgotten.
local KEEP_MS = 7 * 86400 * 1000

local key, names = KEYS[1], KEYS[2]
local upstream, operation, jitter = ARGV[1], ARGV[2], tonumber(ARGV[3])
local window_ms, window_calls, minimum_calls = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local failure_ratio = tonumber(ARGV[7])
local open_ms, open_max_ms, probe_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local FIRST = 11 -- index of the operation's first argument

-- A field that cannot be read counts as that of a new breaker, because an error here would look like an outage of Redis
-- to the calls of all upstreams.
local STATES = {closed = true, open = true, ['half-open'] = true}
local function whole(text) return string.match(text or '', '^%d+$') and #text <= 15 and tonumber(text) or 0 end

-- The state field is named `phase`, as in earlier releases.
local stored = redis.pcall('HMGET', key, 'phase', 'epoch', 'since', 'until', 'trips', 'reason', 'error', 'error_at',
                           'window')
if stored.err then
  redis.call('UNLINK', key)
  stored = {}
end
local record = {
  state = STATES[stored[1]] and stored[1] or 'closed', epoch = whole(stored[2]), since = whole(stored[3]),
  till = whole(stored[4]), trips = whole(stored[5]), reason = stored[6] or 'new', error = stored[7] or '',
  error_at = whole(stored[8]), window = {},
}
for at, mark in string.gmatch(stored[9] or '', '(%d+)(%a)') do
  table.insert(record.window, {at = whole(at), failed = mark == 'f'})
end
local previous, changed = record.state, false

local function text(number) return string.format('%.0f', number) end -- tostring() would round to 14 digits
local function forced() return record.state == 'open' and record.reason == 'forced' end

local function enter(state, till, reason)
  record.state, record.epoch, record.since = state, math.max(record.epoch + 1, now), now
  record.till, record.reason, record.window = till, reason, {}
  changed = true
end

local function count(at, failed)
  table.insert(record.window, {at = at, failed = failed})
  changed = true
end

local function prune()
  local kept = {}
  for _, call in ipairs(record.window) do
    local at = math.min(call.at, now)
    if at > now - window_ms then table.insert(kept, {at = at, failed = call.failed}) end
  end
  record.window = {}
  for i = math.max(#kept - window_calls, 0) + 1, #kept do table.insert(record.window, kept[i]) end
end

local function trip(reason, retry_after)
  local again = record.state == 'half-open' or now - record.since < window_ms
  local trips = again and record.trips + 1 or 1
  local grown = math.min(open_max_ms, open_ms * 2 ^ math.min(trips - 1, DOUBLINGS_MAX))
  local wait = math.floor(grown * (1 - JITTER_SHARE * jitter))
  if retry_after > 0 then
    local requested = retry_after + math.floor(JITTER_SHARE * jitter * math.min(retry_after, open_ms))
    wait = trips > 1 and math.max(requested, wait) or requested
  end
  local window = record.window
  enter('open', now + wait, reason)
  record.trips, record.window = trips, window
end

local operations = {}

operations['admit'] = function()
  if record.state == 'closed' then
    local before = #record.window
    for i = FIRST, #ARGV, 2 do
      if tonumber(ARGV[i]) == record.epoch then count(now - tonumber(ARGV[i + 1]), false) end
    end
    if #record.window > before then prune() end
    return 'admitted'
  end
  if forced() or now < record.till then return 'rejected' end
  enter('half-open', now + probe_ms, 'probe')
  return 'probe'
end

operations['record'] = function()
  local epoch, outcome = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
  local retry_after, error = tonumber(ARGV[FIRST + 2]), ARGV[FIRST + 3]
  if epoch ~= record.epoch or record.state == 'open' then return 'stale' end
  if outcome == 'failure' then
    record.error, record.error_at, changed = error, now, true
    if record.state == 'half-open' then
      trip('probe-failed', retry_after)
      return 'done'
    end
    count(now, true)
    prune()
    local failures = 0
    for _, call in ipairs(record.window) do
      if call.failed then failures = failures + 1 end
    end
    if retry_after > 0 then
      trip('retry-after', retry_after)
    elseif #record.window >= minimum_calls and failures / #record.window >= failure_ratio then
      trip('failures', 0)
    end
  elseif record.state == 'half-open' then
    if outcome == 'success' then enter('closed', 0, 'recovered') else enter('open', now, 'probe-abandoned') end
  elseif outcome == 'success' then
    count(now, false)
    prune()
  end
  return 'done'
end

operations['force-open'] = function()
  enter('open', 0, 'forced')
  return 'done'
end

operations['close'] = function()
  enter('closed', 0, 'closed-by-hand')
  return 'done'
end

operations['reset'] = function()
  record.trips, record.error, record.error_at = 0, '', 0
  enter('closed', 0, 'reset')
  return 'done'
end

-- If the clock was set back, the state starts now, so that the open time does not grow by the size of the jump.
if now < record.since then
  if record.till > 0 then record.till = now + record.till - record.since end
  record.since, changed = now, true
end
local decision = operations[operation]()

if changed then
  local calls = {}
  for i, call in ipairs(record.window) do calls[i] = text(call.at) .. (call.failed and 'f' or 's') end
  redis.call('HSET', key, 'phase', record.state, 'epoch', text(record.epoch), 'since', text(record.since),
             'until', text(record.till), 'trips', text(record.trips), 'reason', record.reason,
             'error', record.error, 'error_at', text(record.error_at), 'window', table.concat(calls, ' '))
  if forced() then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, KEEP_MS) end
  if type(redis.pcall('SADD', names, upstream)) == 'table' then
    redis.call('UNLINK', names)
    redis.call('SADD', names, upstream)
  end
end
local wait = forced() and open_ms or math.max(record.till - now, 0)
return {decision, previous, record.state, text(record.epoch), text(wait), record.reason, record.error}
