"""The Lua scripts that read, requeue and delete dead letters. `queue_scripts.NACK` writes them."""

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
