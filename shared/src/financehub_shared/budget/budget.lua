-- The rate budget of one upstream, atomic for the whole fleet. It does the arithmetic of budget/sliding_window.py on
-- the hashes KEYS, one per window. The line that Python prepends to this script defines `now`, in Unix milliseconds.
-- Each hash is a ring of slots: slice % (slices + 1) -> `slice:units`.
--
-- ARGV: op, units, slices, then slice_ms and limit of each window
--   spend:   Takes `units` from every window, or from none.
--            Returns {wait_ms, number of the window that requires the wait (from 1), used units of each window}.
--   correct: The upstream has counted `units` in the window. Returns {0, 0, used units of each window}.

local op, units, slices = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local windows = {}
for i, key in ipairs(KEYS) do
  local w = {key = key, slice_ms = tonumber(ARGV[2 + 2 * i]), limit = tonumber(ARGV[3 + 2 * i]), used = 0, slots = {}}
  w.index = math.floor(now / w.slice_ms)
  -- A damaged entry counts as missing, because every guard would take an error here for an outage of Redis.
  local ring = redis.pcall('HVALS', key)
  if ring.err then
    redis.call('UNLINK', key)
    ring = {}
  end
  for _, entry in ipairs(ring) do
    local index, spent = string.match(entry, '^(%d+):(%d+)$')
    index, spent = tonumber(index), tonumber(spent)
    if index and spent <= 1e12 and index >= w.index - slices and index <= w.index then
      table.insert(w.slots, {index = index, spent = spent})
      w.used = w.used + spent
    end
  end
  table.sort(w.slots, function(a, b) return a.index < b.index end)
  windows[i] = w
end

local function add(w, more)
  local here = 0
  for _, slot in ipairs(w.slots) do
    if slot.index == w.index then here = slot.spent end
  end
  redis.call('HSET', w.key, w.index % (slices + 1), string.format('%.0f:%.0f', w.index, here + more))
  redis.call('PEXPIRE', w.key, w.slice_ms * (slices + 1))
  w.used = w.used + more
end

local longest, which = 0, 0
if op == 'correct' then
  local w = windows[1]
  if units > w.used then add(w, units - w.used) end
else
  for i, w in ipairs(windows) do
    local excess = w.used + units - w.limit
    for _, slot in ipairs(w.slots) do
      if excess <= 0 then break end
      excess = excess - slot.spent
      local wait = (slot.index + slices + 1) * w.slice_ms - now
      if excess <= 0 and wait > longest then longest, which = wait, i end
    end
  end
  if longest == 0 then
    for _, w in ipairs(windows) do add(w, units) end
  end
end

local answer = {longest, which}
for _, w in ipairs(windows) do table.insert(answer, w.used) end
return answer
