"""The schedules for periodiq (`periodiq bench.scheduler_peers.periodiq_actors`)."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from periodiq import PeriodiqMiddleware, cron

from bench.scheduler_peers import COUNT

broker = RedisBroker(url=os.environ["PEER_REDIS_URL"], middleware=[PeriodiqMiddleware()])
dramatiq.set_broker(broker)


def noop() -> None:
    """Do nothing."""


for number in range(COUNT):
    dramatiq.actor(noop, actor_name=f"s{number}", periodic=cron("* * * * *"))
