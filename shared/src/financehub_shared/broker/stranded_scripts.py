"""The Lua scripts that find stranded messages, and put them back in their queue. See `queue_scripts`."""

from financehub_shared.broker.queue_scripts import LUA_LONGEST_ID

#: Returns the number of messages of a queue that neither wait nor are held by a worker, or less, because an entry of
#: the queue may have no message. No script of ours leaves one, but another program may replace or change the keys.
#: KEYS: ready, messages, then the acks of each worker.
COUNT_STRANDED = """
local stranded = redis.call("hlen", KEYS[2]) - redis.call("llen", KEYS[1])
for i = 3, #KEYS do stranded = stranded - redis.call("scard", KEYS[i]) end
return stranded
"""

#: Returns some ids that wait in a queue. KEYS: ready. ARGV: first and last index. In the place of an id that is too
#: long to be returned, there is the id that `MESSAGE_IDS` would give the message.
WAITING_IDS = (
    LUA_LONGEST_ID
    + """
local ids = {}
for _, id in ipairs(redis.call("lrange", KEYS[1], ARGV[1], ARGV[2])) do
  ids[#ids + 1] = #id <= longest_id and id or redis.sha1hex(id)
end
return ids
"""
)

#: A Lua function that gives a message another id and appends it to its queue. If its old id waits after all, the entry
#: with that id has no message any more, and a fetch drops it.
_LUA_RESTORE = """
local function restore(ready, messages, id)
  local message, short = redis.call("hget", messages, id), redis.sha1hex(id)
  if not message or redis.call("hsetnx", messages, short, message) == 0 then return 0 end
  redis.call("hdel", messages, id)
  redis.call("rpush", ready, short)
  return 1
end
"""

#: Returns a cursor, the number of messages that were put back, and some ids of messages. KEYS: ready, messages. ARGV:
#: the last cursor, number of ids, more or less, and ids that other messages would get. In the place of an id that is
#: too long to be returned, there is the id that the message would get. If it is one of those in ARGV, the message is
#: appended to the queue with it, and left out here: no worker holds an id that is too long.
MESSAGE_IDS = (
    LUA_LONGEST_ID
    + _LUA_RESTORE
    + """
redis.call("llen", KEYS[1])
local wanted = {}
for i = 3, #ARGV do wanted[ARGV[i]] = true end
local reply = redis.call("hscan", KEYS[2], ARGV[1], "COUNT", ARGV[2])
local ids, restored = {}, 0
for i = 1, #reply[2], 2 do
  local id = reply[2][i]
  local short = #id > longest_id and redis.sha1hex(id) or id
  if short ~= id and wanted[short] then
    restored = restored + restore(KEYS[1], KEYS[2], id)
  else
    ids[#ids + 1] = short
  end
end
return {reply[1], restored, ids}
"""
)

#: Puts messages back in their queue that no worker holds. KEYS: ready, messages, then the acks of each worker. ARGV:
#: ids. Returns their number.
RESTORE = (
    _LUA_RESTORE
    + """
redis.call("llen", KEYS[1])
local function is_held(id)
  for i = 3, #KEYS do
    if redis.call("sismember", KEYS[i], id) == 1 then return true end
  end
end
local restored = 0
for _, id in ipairs(ARGV) do
  if not is_held(id) then restored = restored + restore(KEYS[1], KEYS[2], id) end
end
return restored
"""
)
