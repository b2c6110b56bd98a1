"""A script of a blocking client."""

import redis

from financehub_shared.redis.command_channel import CommandChannel
from financehub_shared.redis.scripts import ClientScript


def test_client_script_that_redis_has_forgotten_is_loaded_again(redis_client: "redis.Redis"):
    """Redis forgets all scripts in a restart. The script then runs once, with one more command."""
    source = "redis.call('incrby', KEYS[1], ARGV[1]) return KEYS[1] .. ARGV[1]"
    script = ClientScript(CommandChannel(redis_client), source)
    for runs in (1, 2):
        redis_client.script_flush()
        redis_client.config_resetstat()
        assert script(keys=["sum"], args=[2]) == b"sum2"
        assert script(keys=["sum"], args=[2]) == b"sum2"
        assert redis_client.get("sum") == str(runs * 4).encode()
        calls = {name: facts["calls"] for name, facts in redis_client.info("commandstats").items()}
        assert (calls["cmdstat_eval"], calls["cmdstat_evalsha"]) == (1, 2)
