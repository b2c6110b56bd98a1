"""The Lua scripts of the queues: one atomic script per step in a message's life.

They implement the steps of stock `dispatch.lua` on the same keys, with these differences: only consumers send
heartbeats (a process that only enqueues is not a worker), times come from Redis (one clock for all pods), a dead letter
is written with its history, and no script runs `KEYS`. If possible, a script's first write is one that Redis allows
when it is out of memory, because Redis then allows the script's later writes too. Workers therefore continue to fetch
and acknowledge, which frees the memory.

Redis does not undo the writes of a script that fails, and any key may have been replaced by one of another type. A
script that could strand a message therefore reads its keys with commands of their types before its first write, or, in
the two scripts that run most often, takes back its write if the next command fails.
"""

from financehub_shared.broker import options
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.scripts import REDIS_NOW

#: Number of bytes of a reply from which a fetch takes no further message. Redis and the worker each hold a reply in
#: memory.
REPLY_BYTES = 8_000_000
#: Bytes of the longest id that a script returns. The door accepts ids of 512 characters, each of up to 4 bytes.
ID_BYTES = 2_048
#: Sets `longest_id` to this number.
LUA_LONGEST_ID = f"local longest_id = {ID_BYTES}\n"
_READY_AT = f"local ready_at = '{options.READY_AT}'\n"

#: Appends a message. KEYS: ready, messages. ARGV: id, message. Does not append it again if a process repeats an enqueue
#: whose reply was lost, and the message still waits or is in flight.
ENQUEUE = """
if redis.call("hset", KEYS[2], ARGV[1], ARGV[2]) == 1 then
  local reply = redis.pcall("rpush", KEYS[1], ARGV[1])
  if type(reply) == "table" then
    redis.call("hdel", KEYS[2], ARGV[1])
    return reply
  end
end
"""

#: A Lua function that takes the message at the head of a queue. Returns nothing if the queue is empty, an empty id if
#: the entry was dropped, an error of Redis, or id, message and losses. A message of more than `longest` bytes is cut
#: off after one byte more. An entry whose message this worker already holds is dropped. A message whose id is too long
#: gets a short one, because the id could have hundreds of MB.
_LUA_TAKE = (
    LUA_LONGEST_ID
    + """
local function take(ready, messages, acks, losses, longest)
  local id = redis.call("lpop", ready)
  if not id then return end
  local message = redis.pcall("hget", messages, id)
  if type(message) == "table" then
    redis.call("lpush", ready, id)
    return message
  end
  if message and #id > longest_id then
    redis.call("hdel", messages, id)
    id = redis.sha1hex(id)
    redis.call("hset", messages, id, message)
  end
  if not message or redis.call("sadd", acks, id) == 0 then return "" end
  if #message > longest then message = string.sub(message, 1, longest + 1) end
  return id, message, losses and redis.call("hget", losses, id) or "0"
end
"""
)

#: Takes messages and sends a heartbeat. KEYS: ready, messages, acks, losses, heartbeats. ARGV: worker, maximum number
#: of messages (0 for a heartbeat only), largest number of bytes of a message, number of bytes of all messages after
#: which no further one is taken. Returns id, message, losses, id, message, losses, …
FETCH = (
    REDIS_NOW
    + _LUA_TAKE
    + """
redis.call("srem", KEYS[3], "")
local losses = redis.call("hlen", KEYS[4]) > 0 and KEYS[4]
redis.call("zadd", KEYS[5], now, ARGV[1])
local longest, enough = tonumber(ARGV[3]), tonumber(ARGV[4])
local fetched, size = {}, 0
for _ = 1, tonumber(ARGV[2]) do
  local id, message, lost = take(KEYS[1], KEYS[2], KEYS[3], losses, longest)
  if not id then break end
  if type(id) == "table" then return id end
  if message then
    fetched[#fetched + 1], fetched[#fetched + 2], fetched[#fetched + 3] = id, message, lost
    size = size + #message
    if size >= enough then break end
  end
end
return fetched
"""
)

#: Returns the first bytes of the message at the head of a queue, or nothing. Another command reports keys that have a
#: wrong type. KEYS: ready, messages. ARGV: number of bytes.
HEAD = """
local id = redis.pcall("lindex", KEYS[1], 0)
local message = type(id) == "string" and redis.pcall("hget", KEYS[2], id)
return type(message) == "string" and string.sub(message, 1, ARGV[1])
"""

#: Copies a message to a separate key. KEYS: messages, the key. ARGV: id, TTL of the key (s).
KEEP = """
local message = redis.call("hget", KEYS[1], ARGV[1])
if message then
  redis.call("del", KEYS[2])
  redis.call("set", KEYS[2], message, "EX", ARGV[2])
end
"""

#: Lua functions that delete a message, and that then take the next one of its queue and send a heartbeat. Deleting has
#: no effect if the message was reclaimed in the meantime. An error while the next one is taken is ignored, because the
#: next fetch reports it.
LUA_ACKNOWLEDGE = (
    _LUA_TAKE
    + f"local heartbeats = '{keys.HEARTBEATS}'"
    + """
local function acknowledge(acks, messages, losses, id)
  if redis.call("srem", acks, id) > 0 then
    redis.call("hdel", messages, id)
    redis.call("hdel", losses, id)
  end
end
local has_beaten = false
local function take_next(acks, messages, losses, ready, worker, longest)
  local counted = redis.call("hlen", losses) > 0 and losses
  if not has_beaten then
    -- In an empty queue, the heartbeat is left to the consumer.
    if redis.call("llen", ready) == 0 then return end
"""
    + REDIS_NOW
    + """
    -- Without a heartbeat, the janitor could take the message away from a worker that was suspended for a while.
    redis.call("zadd", heartbeats, now, worker)
    has_beaten = true
  end
  return take(ready, messages, acks, counted, tonumber(longest))
end
local function fetch_next(fetched, index, ...)
  local ok, id, message, lost = pcall(take_next, ...)
  if ok and message then
    local size = #fetched
    fetched[size + 1], fetched[size + 2], fetched[size + 3], fetched[size + 4] = index, id, message, lost
  end
end
"""
)
#: Number of keys and arguments with which the script that records the end of an attempt acknowledges its message: acks,
#: messages, losses, id, ready (empty to fetch nothing), worker, largest number of bytes of a message.
ACKNOWLEDGMENT_LENGTH = 7

#: Deletes a message, and takes the next one of its queue. KEYS: acks, messages, losses. ARGV: id, and to take the next
#: message: ready, worker, largest number of bytes of a message. The script that records the end of an attempt does the
#: same, so this one is for messages whose end is recorded already or never. Returns 0, id, message and losses of the
#: next message, or an empty list.
ACK = (
    LUA_ACKNOWLEDGE
    + """
acknowledge(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
local fetched = {}
if ARGV[2] ~= "" then fetch_next(fetched, 0, KEYS[1], KEYS[2], KEYS[3], ARGV[2], ARGV[3], ARGV[4]) end
return fetched
"""
)

#: Lua functions for the messages that follow another one: its move from the delay queue, its retry, its callback. KEYS
#: from an index: ready and messages of each. ARGV from an index: id and message of each. They are enqueued in the same
#: step in which the other one leaves its queue. They therefore exist exactly once, however often that step is repeated,
#: and no matter which process dies or counts as dead before it.
_LUA_FOLLOW_UPS = """
local function check_follow_ups(first_key)
  for i = first_key, #KEYS, 2 do
    redis.call("llen", KEYS[i])
    redis.call("hlen", KEYS[i + 1])
  end
end
local function enqueue_follow_ups(first_key, first_argument)
  local argument = first_argument
  for i = first_key, #KEYS, 2 do
    if redis.call("hset", KEYS[i + 1], ARGV[argument], ARGV[argument + 1]) == 1 then
      redis.call("rpush", KEYS[i], ARGV[argument])
    end
    argument = argument + 2
  end
end
"""

#: Replaces a message with what follows it. KEYS: acks, messages, losses, then ready and messages of each follow-up.
#: ARGV: id, then id and message of each follow-up. Has no effect if the message was reclaimed in the meantime, because
#: its next delivery has follow-ups too.
REPLACE = (
    _LUA_FOLLOW_UPS
    + """
redis.call("hlen", KEYS[2])
redis.call("hlen", KEYS[3])
check_follow_ups(4)
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
  enqueue_follow_ups(4, 2)
end
"""
)

#: Replaces a message with a dead letter. KEYS: acks, messages, losses, dead, dead messages, then ready and messages of
#: each follow-up. ARGV: id, dead letter, then id and message of each follow-up.
NACK = (
    REDIS_NOW
    + _LUA_FOLLOW_UPS
    + """
redis.call("hlen", KEYS[2])
redis.call("hlen", KEYS[3])
redis.call("zcard", KEYS[4])
redis.call("hlen", KEYS[5])
check_follow_ups(6)
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("zadd", KEYS[4], now, ARGV[1])
  redis.call("hset", KEYS[5], ARGV[1], ARGV[2])
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
  enqueue_follow_ups(6, 3)
end
"""
)

#: Requeues some of a worker's messages. KEYS: acks, ready, messages. ARGV: ids.
REQUEUE = """
redis.call("llen", KEYS[2])
redis.call("hlen", KEYS[3])
for _, id in ipairs(ARGV) do
  if redis.call("srem", KEYS[1], id) > 0 and redis.call("hexists", KEYS[3], id) > 0 then
    redis.call("rpush", KEYS[2], id)
  end
end
"""

#: Requeues all of a worker's messages except those to keep, and deletes those that it has finished: a failover may have
#: undone their acks. One that was enqueued again under its id is requeued. KEYS: acks, ready, messages, losses. ARGV:
#: number of ids to keep, these ids, then the id and the attempt id (`message.attempt_id`) of each finished message.
#: Returns the number of requeued messages.
REQUEUE_UNFINISHED = (
    _READY_AT
    + """
local function attempt_id(id)
  local message = redis.call("hget", KEYS[3], id)
  local readable, fields = pcall(cjson.decode, message or "")
  local options = readable and type(fields) == "table" and fields.options
  local at = type(options) == "table" and options[ready_at]
  return id .. "@" .. (type(at) == "number" and string.format("%.0f", at) or "")
end
redis.call("llen", KEYS[2])
redis.call("hlen", KEYS[3])
redis.call("hlen", KEYS[4])
local kept, finished, requeued = {}, {}, 0
local first_finished = tonumber(ARGV[1]) + 2
for i = 2, first_finished - 1 do kept[ARGV[i]] = true end
for i = first_finished, #ARGV, 2 do finished[ARGV[i]] = ARGV[i + 1] end
for _, id in ipairs(redis.call("smembers", KEYS[1])) do
  if not kept[id] then
    redis.call("srem", KEYS[1], id)
    if finished[id] and finished[id] == attempt_id(id) then
      redis.call("hdel", KEYS[3], id)
      redis.call("hdel", KEYS[4], id)
    elseif redis.call("hexists", KEYS[3], id) > 0 then
      redis.call("rpush", KEYS[2], id)
      requeued = requeued + 1
    end
  end
end
return requeued
"""
)

#: Returns the number of messages of some queues, plus those that this process has fetched, as `join` expects. KEYS:
#: messages, acks, messages, acks, …
SIZE = """
local size = 0
for i = 1, #KEYS, 2 do size = size + redis.call("hlen", KEYS[i]) + redis.call("scard", KEYS[i + 1]) end
return size
"""

#: Deletes all messages of a queue. KEYS: all keys of the queue.
PURGE = """
for _, key in ipairs(KEYS) do redis.call("del", key) end
"""

#: Requeues a dead worker's messages. KEYS: acks, ready, messages, losses, heartbeats. ARGV: worker, time (ms) after
#: which a heartbeat proves it alive, whether to count losses (0 or 1), TTL of the losses (s), and how far in the future
#: a heartbeat may lie (ms): a later one was sent before the clock was set back, and proves nothing. Returns the number
#: of requeued messages. Has no effect if the worker has sent a heartbeat after that time.
RECLAIM = (
    REDIS_NOW
    + """
redis.call("llen", KEYS[2])
redis.call("hlen", KEYS[3])
redis.call("hlen", KEYS[4])
local heartbeat = redis.call("zscore", KEYS[5], ARGV[1])
local at = tonumber(heartbeat or 0)
if at > tonumber(ARGV[2]) and at <= now + tonumber(ARGV[5]) then return 0 end
local reclaimed = 0
for _, id in ipairs(redis.call("smembers", KEYS[1])) do
  redis.call("srem", KEYS[1], id)
  if redis.call("hexists", KEYS[3], id) > 0 then
    redis.call("rpush", KEYS[2], id)
    reclaimed = reclaimed + 1
    if ARGV[3] == "1" then
      -- HINCRBY would fail on a number that someone has damaged
      local losses = tonumber(redis.call("hget", KEYS[4], id) or 0) or 0
      if not (losses >= 0 and losses < 1000000) then losses = 0 end
      redis.call("hset", KEYS[4], id, string.format("%d", losses + 1))
      redis.call("expire", KEYS[4], ARGV[4])
    end
  end
end
return reclaimed
"""
)
