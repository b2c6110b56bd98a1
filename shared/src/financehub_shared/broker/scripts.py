"""The broker's Lua: one script per step of a message, each atomic.

Steps of stock `dispatch.lua` on the same keys, with these differences: only consumers send heartbeats (an enqueuer is
no worker), times come from Redis (one clock for all pods), a dead letter is written with its history, and no script
runs `KEYS`. A script's first write is one that Redis allows when it is out of memory, where it can be, because then
those after it are allowed too: workers go on fetching and acknowledging, which is what frees the memory.
"""

# Redis 6.2 refuses writes after TIME in a script that is not replicated by its effects; later ones always do that.
_NOW = """
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call("time")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: KEYS ready, messages; ARGV id, message.
ENQUEUE = """
redis.call("hset", KEYS[2], ARGV[1], ARGV[2])
redis.call("rpush", KEYS[1], ARGV[1])
"""

#: KEYS ready, messages, acks, losses, heartbeats; ARGV worker, how many (0: heartbeat only).
#: Returns id, message, losses; id, message, losses; …
FETCH = (
    _NOW
    + """
redis.call("srem", KEYS[3], "")
local fetched = {}
for _ = 1, tonumber(ARGV[2]) do
  local id = redis.call("lpop", KEYS[1])
  if not id then break end
  local message = redis.call("hget", KEYS[2], id)
  if message then
    redis.call("sadd", KEYS[3], id)
    fetched[#fetched + 1] = id
    fetched[#fetched + 1] = message
    fetched[#fetched + 1] = redis.call("hget", KEYS[4], id) or "0"
  end
end
redis.call("zadd", KEYS[5], now, ARGV[1])
return fetched
"""
)

#: KEYS acks, messages, losses; ARGV id. Without effect when the message was reclaimed meanwhile.
ACK = """
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
end
"""

#: KEYS acks, messages, losses, dead, dead messages; ARGV id, dead letter.
NACK = (
    _NOW
    + """
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("zadd", KEYS[4], now, ARGV[1])
  redis.call("hset", KEYS[5], ARGV[1], ARGV[2])
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
end
"""
)

#: KEYS acks, ready, messages; ARGV ids to give back.
REQUEUE = """
for _, id in ipairs(ARGV) do
  if redis.call("srem", KEYS[1], id) > 0 and redis.call("hexists", KEYS[3], id) > 0 then
    redis.call("rpush", KEYS[2], id)
  end
end
"""

#: KEYS acks, ready, messages; ARGV ids to keep. Gives back the rest of the ack set; returns how many.
REQUEUE_OTHERS = """
local kept, requeued = {}, 0
for _, id in ipairs(ARGV) do kept[id] = true end
for _, id in ipairs(redis.call("smembers", KEYS[1])) do
  if not kept[id] then
    redis.call("srem", KEYS[1], id)
    if redis.call("hexists", KEYS[3], id) > 0 then
      redis.call("rpush", KEYS[2], id)
      requeued = requeued + 1
    end
  end
end
return requeued
"""

#: KEYS acks, ready, messages, losses, heartbeats; ARGV worker, silent since (ms), count losses (0, 1), losses TTL (s).
#: Gives back what a dead worker held; returns how many. Without effect when the worker is alive after all.
RECLAIM = """
local beat = redis.call("zscore", KEYS[5], ARGV[1])
if beat and tonumber(beat) > tonumber(ARGV[2]) then return 0 end
local reclaimed = 0
for _, id in ipairs(redis.call("smembers", KEYS[1])) do
  redis.call("srem", KEYS[1], id)
  if redis.call("hexists", KEYS[3], id) > 0 then
    redis.call("rpush", KEYS[2], id)
    reclaimed = reclaimed + 1
    if ARGV[3] == "1" then
      redis.call("hincrby", KEYS[4], id, 1)
      redis.call("expire", KEYS[4], ARGV[4])
    end
  end
end
return reclaimed
"""

#: KEYS dead, dead messages, ready, messages; ARGV id, message. Returns 1, or 0 when the letter is gone.
REVIVE = """
if redis.call("zrem", KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call("hdel", KEYS[2], ARGV[1])
redis.call("hset", KEYS[4], ARGV[1], ARGV[2])
redis.call("rpush", KEYS[3], ARGV[1])
return 1
"""

#: KEYS dead, dead messages; ARGV ids. Returns how many were there.
BURY = """
local buried = 0
for _, id in ipairs(ARGV) do
  buried = buried + redis.call("zrem", KEYS[1], id)
  redis.call("hdel", KEYS[2], id)
end
return buried
"""

#: KEYS dead, dead messages; ARGV before (ms), at most. Returns how many went.
BURY_OLDER = """
local ids = redis.call("zrangebyscore", KEYS[1], "-inf", "(" .. ARGV[1], "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call("zrem", KEYS[1], id)
  redis.call("hdel", KEYS[2], id)
end
return #ids
"""
