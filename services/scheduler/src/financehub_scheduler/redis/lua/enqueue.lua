-- Enqueue a batch of runs in one atomic step: check the fence, the overlap and the backlog of each run, and store its
-- message.
-- ARGV[1]: JSON context {now (ms), ahead_limit (ms), skipped_ttl (s), active_limit (ms), max_backlog,
-- max_backlog_with_depth, backfill_depth, active (states), shapes}. Each shape has the fields that many runs share (see
-- `encode` in enqueuer.py).
-- ARGV[2]: JSON list of texts, five per run: uid, fingerprint, due time (ms), id, and the number of its shape
-- ARGV[3…]: one message per run; an empty one only moves the high-water mark
-- Returns one enqueue outcome per run. `moved` is followed by a colon and the high-water mark in Redis (ms), `ahead` by
-- a colon and Redis's time (ms).
--
-- The outcomes of due runs:
--
--   outcome           mark moved?  message stored?  who acts next
--   enqueued          yes          yes              a worker runs the task
--   missed            yes          no               nobody: the due times are given up
--   overlap, backlog  yes          no               nobody: the due time is skipped
--   buffered          yes          no               OnDemandRuns submits the next one each second as kind `buffered`
--   already           no           no               nobody: the due time was settled before
--   paused            no           no               the engine stops the schedule until somebody resumes it
--   exhausted         maybe        no               the engine stops the schedule
--   moved             no           no               the engine plans again from the mark in the answer
--   ahead             no           no               the engine pauses and submits the run again
--   unknown           no           no               the engine registers the schedule again
--   changed, deleted  no           no               the engine stops it until the source reports a newer state
--
-- Runs on demand (buffered, annotation, request, backfill) have their own fences and never move the mark. A pause holds
-- back only the buffered ones among them, because nobody has requested these. Two outcomes, both without a message,
-- exist only for them: `refused` (the trigger is deleted) and `wait` (OnDemandRuns submits the run again).
--
-- The script consists of several files (see `load_script`). It makes two passes over the batch, which share the state of
-- each schedule (`schedules`):
-- 1. Read the schedules. Reject runs of an outdated spec, and check the due runs against the high-water marks.
-- Between the passes, it writes all marks. If a later command fails, a run is missing, but none is enqueued twice.
-- 2. For each remaining run, in order, check overlap and backlog, then enqueue the run or skip it with a reason.
-- A thousand schedules may be due at the same instant. Therefore, marks are read and written once per batch, messages are
-- written to their queues 500 at a time, and run records are written afterward (record_runs.lua). Most of the time goes
-- to Lua and not to commands. Therefore, runs are not JSON objects, tables get all of their fields at once, and times
-- remain text if possible.

local context = cjson.decode(ARGV[1])
local now, redis_now = context.now, redis_time()
local at = seconds(now)
local field = schedule_field
local active_states = {}
for _, state in ipairs(context.active) do active_states[state] = true end

-- {uid, fingerprint, due (ms), due_text, id, message}; the fields of its shape are read through the metatable.
local runs = {}
do
  local heads, shapes = cjson.decode(ARGV[2]), {}
  for number, shape in ipairs(context.shapes) do shapes[number] = {__index = shape} end
  for index = 1, #heads / 5 do
    local last = 5 * index
    local due = heads[last - 2]
    runs[index] = setmetatable({uid = heads[last - 4], fingerprint = heads[last - 3], due = number(due),
      due_text = due, id = heads[last - 1], message = ARGV[index + 2]}, shapes[heads[last]])
  end
end
