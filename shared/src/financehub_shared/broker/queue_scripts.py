"""The broker's Lua scripts: one atomic script per step in a message's life.

They implement the steps of stock `dispatch.lua` on the same keys, with these differences: only consumers send
heartbeats (a process that only enqueues is not a worker), times come from Redis (one clock for all pods), a dead letter
is written with its history, and no script runs `KEYS`. If possible, a script's first write is one that Redis allows
when it is out of memory, because Redis then allows the script's later writes too. Workers therefore continue to fetch
and acknowledge, which frees the memory.

Redis does not undo the writes of a script that fails, and any key may have been replaced by one of another type. A
script that could strand a message therefore reads its keys with commands of their types before its first write, or, in
the two scripts that run most often, takes back its write if the next command fails.
"""

from financehub_shared.redis.scripts import REDIS_NOW

#: Number of bytes of a reply from which a fetch takes no further message. Redis and the worker each hold a reply in
#: memory.
REPLY_BYTES = 8_000_000
#: Bytes of the longest id that a script returns. The door accepts ids of 512 characters, each of up to 4 bytes.
ID_BYTES = 2_048
_LONGEST_ID = f"local longest_id = {ID_BYTES}\n"

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

#: Takes messages and sends a heartbeat. KEYS: ready, messages, acks, losses, heartbeats. ARGV: worker, maximum number
#: of messages (0 for a heartbeat only), largest number of bytes of a message, number of bytes of all messages after
#: which no further one is taken. A longer message is cut off after one byte more. An entry of the queue whose message
#: this worker already holds is dropped. A message whose id is too long gets a short one, because the id could have
#: hundreds of MB. Returns id, message, losses, id, message, losses, …
FETCH = (
    REDIS_NOW
    + _LONGEST_ID
    + """
local call = redis.call
call("srem", KEYS[3], "")
local has_losses = call("hlen", KEYS[4]) > 0
call("zadd", KEYS[5], now, ARGV[1])
local longest, enough = tonumber(ARGV[3]), tonumber(ARGV[4])
local fetched, size = {}, 0
for _ = 1, tonumber(ARGV[2]) do
  local id = call("lpop", KEYS[1])
  if not id then break end
  local message = redis.pcall("hget", KEYS[2], id)
  if type(message) == "table" then
    call("lpush", KEYS[1], id)
    return message
  end
  if message and #id > longest_id then
    call("hdel", KEYS[2], id)
    id = redis.sha1hex(id)
    call("hset", KEYS[2], id, message)
  end
  if message and call("sadd", KEYS[3], id) == 1 then
    if #message > longest then message = string.sub(message, 1, longest + 1) end
    fetched[#fetched + 1], fetched[#fetched + 2] = id, message
    fetched[#fetched + 1] = has_losses and call("hget", KEYS[4], id) or "0"
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

#: Returns fields of a hash, each cut off after a number of bytes. KEYS: the hash. ARGV: number of bytes, the fields.
#: Returns at least one field, and no more after 16 MB in total, so that the reply fits into memory. The caller asks for
#: the others again.
READ_FIELDS = """
local fields, size = {}, 0
for i = 2, #ARGV do
  local field = redis.call("hget", KEYS[1], ARGV[i])
  field = field and string.sub(field, 1, ARGV[1])
  size = size + (field and #field or 0)
  if i > 2 and size > 16000000 then break end
  fields[i - 1] = field
end
return fields
"""

#: Copies a message to a separate key. KEYS: messages, the key. ARGV: id, TTL of the key (s).
KEEP = """
local message = redis.call("hget", KEYS[1], ARGV[1])
if message then
  redis.call("del", KEYS[2])
  redis.call("set", KEYS[2], message, "EX", ARGV[2])
end
"""

#: Deletes a message. KEYS: acks, messages, losses. ARGV: id. Has no effect if the message was reclaimed in the
#: meantime.
ACK = """
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
end
"""

#: Replaces a message with a dead letter. KEYS: acks, messages, losses, dead, dead messages. ARGV: id, dead letter.
NACK = (
    REDIS_NOW
    + """
redis.call("hlen", KEYS[2])
redis.call("hlen", KEYS[3])
redis.call("zcard", KEYS[4])
redis.call("hlen", KEYS[5])
if redis.call("srem", KEYS[1], ARGV[1]) > 0 then
  redis.call("zadd", KEYS[4], now, ARGV[1])
  redis.call("hset", KEYS[5], ARGV[1], ARGV[2])
  redis.call("hdel", KEYS[2], ARGV[1])
  redis.call("hdel", KEYS[3], ARGV[1])
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
#: undone their acks. KEYS: acks, ready, messages, losses. ARGV: number of ids to keep, these ids, ids of finished
#: messages. Returns the number of requeued messages.
REQUEUE_UNFINISHED = """
redis.call("llen", KEYS[2])
redis.call("hlen", KEYS[3])
redis.call("hlen", KEYS[4])
local kept, finished, requeued = {}, {}, 0
for i = 2, #ARGV do
  if i <= tonumber(ARGV[1]) + 1 then kept[ARGV[i]] = true else finished[ARGV[i]] = true end
end
for _, id in ipairs(redis.call("smembers", KEYS[1])) do
  if not kept[id] then
    redis.call("srem", KEYS[1], id)
    if finished[id] then
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

#: Finds the messages of a queue that neither wait nor are held by a worker. No script of ours leaves one, but another
#: program may replace or change the keys. KEYS: ready, messages, then the acks of each worker. ARGV: ids to put back in
#: the queue, if they still are such messages. Returns their number, then the ids of up to 1,000 other ones, because a
#: hash of another program can have any number of fields. An id that is too long to be returned is put back at once,
#: because no worker holds such an id.
STRANDED = (
    _LONGEST_ID
    + """
local placed = redis.call("llen", KEYS[1])
for i = 3, #KEYS do placed = placed + redis.call("scard", KEYS[i]) end
if placed >= redis.call("hlen", KEYS[2]) then return {0} end
local known, wanted, others = {}, {}, {0}
for _, id in ipairs(redis.call("lrange", KEYS[1], 0, -1)) do known[id] = true end
for i = 3, #KEYS do
  for _, id in ipairs(redis.call("smembers", KEYS[i])) do known[id] = true end
end
for _, id in ipairs(ARGV) do wanted[id] = true end
for _, id in ipairs(redis.call("hkeys", KEYS[2])) do
  if not known[id] then
    if wanted[id] or #id > longest_id then
      redis.call("rpush", KEYS[1], id)
      others[1] = others[1] + 1
    else
      others[#others + 1] = id
      if #others > 1000 then break end
    end
  end
end
return others
"""
)

#: Moves a dead letter back to its queue. KEYS: dead, dead messages, ready, messages. ARGV: id, message. Returns 1, or 0
#: if the letter no longer exists.
REQUEUE_DEAD_LETTER = """
redis.call("hlen", KEYS[2])
redis.call("llen", KEYS[3])
redis.call("hlen", KEYS[4])
if redis.call("zrem", KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call("hdel", KEYS[2], ARGV[1])
redis.call("hset", KEYS[4], ARGV[1], ARGV[2])
redis.call("rpush", KEYS[3], ARGV[1])
return 1
"""

#: Deletes dead letters by id. KEYS: dead, dead messages. ARGV: ids. Returns the number of deleted letters.
DELETE_DEAD_LETTERS = """
redis.call("hlen", KEYS[2])
local deleted = 0
for _, id in ipairs(ARGV) do
  deleted = deleted + redis.call("zrem", KEYS[1], id)
  redis.call("hdel", KEYS[2], id)
end
return deleted
"""

#: Deletes dead letters by age. KEYS: dead, dead messages. ARGV: time (ms) before which they died, maximum number.
#: Returns the number of deleted letters.
DELETE_OLD_DEAD_LETTERS = """
redis.call("hlen", KEYS[2])
local ids = redis.call("zrangebyscore", KEYS[1], "-inf", "(" .. ARGV[1], "LIMIT", 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call("zrem", KEYS[1], id)
  redis.call("hdel", KEYS[2], id)
end
return #ids
"""

#: Deletes the oldest dead letters. KEYS: dead, dead messages. ARGV: number of letters to keep, maximum number of
#: deleted ones. Returns the number of deleted letters.
DELETE_DEAD_LETTERS_BEYOND = """
redis.call("hlen", KEYS[2])
local excess = math.min(redis.call("zcard", KEYS[1]) - ARGV[1], ARGV[2])
if excess <= 0 then return 0 end
local ids = redis.call("zrange", KEYS[1], 0, excess - 1)
for _, id in ipairs(ids) do
  redis.call("zrem", KEYS[1], id)
  redis.call("hdel", KEYS[2], id)
end
return #ids
"""
