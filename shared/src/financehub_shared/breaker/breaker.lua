-- One step of a circuit breaker, atomic for the fleet: core.step() for the hash KEYS[1], named in the set KEYS[2].
-- `now` (Unix ms) is defined by the line that Python puts before this text: Redis TIME, so that pods need no common clock.
--
-- ARGV: upstream, op, luck, window_ms, window_calls, minimum_calls, failure_ratio, open_ms, open_max_ms, probe_ms, then
--   admit:  (epoch, ms ago) of each success not yet reported
--   record: epoch, outcome, retry_after_ms, error
--   force-open, close, reset: nothing
-- Returns verdict, previous phase, phase, epoch, wait_ms, reason, error.

local JITTER, DOUBLINGS_MAX = 0.2, 30
-- outlives the longest stay-away that is believed (3 days); a breaker nobody uses is then forgotten
local KEEP_MS = 7 * 86400 * 1000

local key, names = KEYS[1], KEYS[2]
local upstream, op, luck = ARGV[1], ARGV[2], tonumber(ARGV[3])
local window_ms, window_calls, minimum_calls = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local failure_ratio = tonumber(ARGV[7])
local open_ms, open_max_ms, probe_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local FIRST = 11

local stored = redis.call('HMGET', key, 'phase', 'epoch', 'since', 'until', 'trips', 'reason', 'error', 'error_at', 'window')
local s = {
  phase = stored[1] or 'closed', epoch = tonumber(stored[2] or 0), since = tonumber(stored[3] or 0),
  till = tonumber(stored[4] or 0), trips = tonumber(stored[5] or 0), reason = stored[6] or 'new',
  error = stored[7] or '', error_at = tonumber(stored[8] or 0), window = {},
}
for at, mark in string.gmatch(stored[9] or '', '(%d+)(%a)') do
  table.insert(s.window, {at = tonumber(at), failed = mark == 'f'})
end
local previous, changed = s.phase, false

local function text(number) return string.format('%.0f', number) end -- tostring() would round to 14 digits
local function forced() return s.phase == 'open' and s.reason == 'forced' end

local function enter(phase, till, reason)
  s.phase, s.epoch, s.since, s.till, s.reason, s.window = phase, math.max(s.epoch + 1, now), now, till, reason, {}
  changed = true
end

local function count(at, failed)
  table.insert(s.window, {at = at, failed = failed})
  changed = true
end

local function prune()
  local kept = {}
  for _, call in ipairs(s.window) do
    local at = math.min(call.at, now)
    if at > now - window_ms then table.insert(kept, {at = at, failed = call.failed}) end
  end
  s.window = {}
  for i = math.max(#kept - window_calls, 0) + 1, #kept do table.insert(s.window, kept[i]) end
end

local function trip(reason, retry_after)
  local again = s.phase == 'half-open' or now - s.since < window_ms
  local trips = again and s.trips + 1 or 1
  local grown = math.min(open_max_ms, open_ms * 2 ^ math.min(trips - 1, DOUBLINGS_MAX))
  local wait = math.floor(grown * (1 - JITTER * luck))
  if retry_after > 0 then
    local asked = retry_after + math.floor(JITTER * luck * math.min(retry_after, open_ms))
    wait = trips > 1 and math.max(asked, wait) or asked
  end
  local window = s.window
  enter('open', now + wait, reason)
  s.trips, s.window = trips, window
end

local ops = {}

ops['admit'] = function()
  if s.phase == 'closed' then
    local before = #s.window
    for i = FIRST, #ARGV, 2 do
      if tonumber(ARGV[i]) == s.epoch then count(now - tonumber(ARGV[i + 1]), false) end
    end
    if #s.window > before then prune() end
    return 'admitted'
  end
  if forced() or now < s.till then return 'rejected' end
  enter('half-open', now + probe_ms, 'probe')
  return 'probe'
end

ops['record'] = function()
  local epoch, outcome = tonumber(ARGV[FIRST]), ARGV[FIRST + 1]
  local retry_after, error = tonumber(ARGV[FIRST + 2]), ARGV[FIRST + 3]
  if epoch ~= s.epoch or s.phase == 'open' then return 'stale' end
  if outcome == 'failure' then
    s.error, s.error_at, changed = error, now, true
    if s.phase == 'half-open' then
      trip('probe-failed', retry_after)
      return 'done'
    end
    count(now, true)
    prune()
    local failures = 0
    for _, call in ipairs(s.window) do
      if call.failed then failures = failures + 1 end
    end
    if retry_after > 0 then
      trip('retry-after', retry_after)
    elseif #s.window >= minimum_calls and failures / #s.window >= failure_ratio then
      trip('failures', 0)
    end
  elseif s.phase == 'half-open' then
    if outcome == 'success' then enter('closed', 0, 'recovered') else enter('open', now, 'probe-abandoned') end
  elseif outcome == 'success' then
    count(now, false)
    prune()
  end
  return 'done'
end

ops['force-open'] = function()
  enter('open', 0, 'forced')
  return 'done'
end

ops['close'] = function()
  enter('closed', 0, 'closed-by-hand')
  return 'done'
end

ops['reset'] = function()
  s.trips, s.error, s.error_at = 0, '', 0
  enter('closed', 0, 'reset')
  return 'done'
end

if now < s.since then -- the clock was set back: the phase begins now, so that an open time does not grow by the jump
  if s.till > 0 then s.till = now + s.till - s.since end
  s.since, changed = now, true
end
local verdict = ops[op]()

if changed then
  local calls = {}
  for i, call in ipairs(s.window) do calls[i] = text(call.at) .. (call.failed and 'f' or 's') end
  redis.call('HSET', key, 'phase', s.phase, 'epoch', text(s.epoch), 'since', text(s.since), 'until', text(s.till),
             'trips', text(s.trips), 'reason', s.reason, 'error', s.error, 'error_at', text(s.error_at),
             'window', table.concat(calls, ' '))
  if forced() then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, KEEP_MS) end
  redis.call('SADD', names, upstream)
end
local wait = forced() and open_ms or math.max(s.till - now, 0)
return {verdict, previous, s.phase, text(s.epoch), text(wait), s.reason, s.error}
