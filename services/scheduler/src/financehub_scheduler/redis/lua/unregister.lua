-- Forget schedules. A tombstone tells slower schedulers, for an hour, that this was a deletion and not a loss of data.
-- ARGV[1]: JSON context {key patterns}; ARGV[2]: JSON list of uids

local context = cjson.decode(ARGV[1])
for _, uid in ipairs(cjson.decode(ARGV[2])) do
  local key = string.format(context.schedule, uid)
  local name = redis.call('hget', key, 'name')
  -- it may be the name of a newer one, already known
  if name and redis.call('hget', context.names, name) == uid then redis.call('hdel', context.names, name) end
  redis.call('del', key, string.format(context.recent, uid))
  redis.call('hset', key, 'fingerprint', 'deleted')
  redis.call('expire', key, 3600)
  redis.call('hdel', context.marks, uid)
  redis.call('hdel', context.buffered, uid)
  redis.call('hdel', context.outlook, uid)
  redis.call('zrem', context.schedules, uid)
  redis.call('srem', context.touched, uid)
  redis.call('hdel', context.failing, uid)
end
return redis.status_reply('OK')
