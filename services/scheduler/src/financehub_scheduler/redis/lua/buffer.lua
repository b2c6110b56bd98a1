-- Buffered runs: due runs that wait for the previous run under BufferOne and BufferAll. The due time of the next one is
-- in the hash `keys.buffered`, as earlier releases read it, and the due times of further ones are in a list per schedule.
-- Without an entry in the hash, the list does not count: whatever deletes the entry drops all buffered runs, also a
-- program of an earlier release.

local function buffered_runs(uid)
  return redis.call('hexists', keys.buffered, uid) == 1 and 1 + redis.call('llen', buffered_key(uid)) or 0
end

local function buffer_run(uid, due)
  if redis.call('hsetnx', keys.buffered, uid, integer(due)) == 1 then
    redis.call('del', buffered_key(uid))
  else
    redis.call('rpush', buffered_key(uid), integer(due))
  end
end

-- Takes the next buffered run out; the one after it is next.
local function pop_buffered_run(uid)
  local following = redis.call('lpop', buffered_key(uid))
  if following then
    redis.call('hset', keys.buffered, uid, following)
  else
    redis.call('hdel', keys.buffered, uid)
  end
end

-- Takes out entries at the front that another program has damaged, so that they do not stop those behind them.
-- OnDemandRuns logs them with the same rule (`read_due`).
local function drop_damaged_runs(uid, latest)
  local due = redis.call('hget', keys.buffered, uid)
  while due and (due ~= integer(number(due)) or number(due) <= 0 or number(due) >= latest) do
    pop_buffered_run(uid)
    due = redis.call('hget', keys.buffered, uid)
  end
end

local function drop_buffered_runs(uid)
  redis.call('hdel', keys.buffered, uid)
  redis.call('del', buffered_key(uid))
end
