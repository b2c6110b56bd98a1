-- Note schedules that their source refuses at present. Their fingerprint is taken from them: no scheduler that still holds
-- their old state fires it, and whatever comes next is a change.
-- ARGV[1]: JSON context {key patterns}; ARGV[2]: JSON list of {uid, outlook as JSON}

local context = cjson.decode(ARGV[1])
for _, entry in ipairs(cjson.decode(ARGV[2])) do
  local uid, outlook = entry[1], entry[2]
  local key = string.format(context.schedule, uid)
  local fingerprint = redis.call('hget', key, 'fingerprint')
  if fingerprint and fingerprint ~= 'deleted' then
    redis.call('hset', key, 'fingerprint', 'withdrawn')
    redis.call('hdel', context.buffered, uid)
    redis.call('hset', context.outlook, uid, outlook)
  end
end
return redis.status_reply('OK')
