-- Refresh or end the membership of one scheduler, and return the ids of all members.
-- ARGV[1]: id of the scheduler; ARGV[2]: 1 if it is a member, 0 if not; ARGV[3]: lifetime of a membership (ms);
-- ARGV[4]: maximum number of ids to return, those that were refreshed last
--
-- A membership whose time is in the future was refreshed before the clock of Redis was set back, or was written by
-- another program. Its scheduler is alive only if it refreshes it.

local now, lifetime = redis_time(), tonumber(ARGV[3])
redis.call('zremrangebyscore', keys.schedulers, '-inf', '(' .. seconds(now - lifetime))
redis.call('zremrangebyscore', keys.schedulers, '(' .. seconds(now + lifetime), '+inf')
if ARGV[2] == '1' then
  redis.call('zadd', keys.schedulers, seconds(now), ARGV[1])
  redis.call('pexpire', keys.schedulers, lifetime)
else
  redis.call('zrem', keys.schedulers, ARGV[1])
end
return redis.call('zrevrange', keys.schedulers, 0, ARGV[4] - 1)
