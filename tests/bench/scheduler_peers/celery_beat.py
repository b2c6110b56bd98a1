"""The schedules for Celery beat (`celery -A bench.scheduler_peers.celery_beat beat`)."""

import os

from celery import Celery
from celery.schedules import crontab

from bench.scheduler_peers import COUNT

app = Celery("peer", broker=os.environ["PEER_REDIS_URL"])
app.conf.beat_schedule = {f"s{number}": {"task": "noop", "schedule": crontab()} for number in range(COUNT)}
app.conf.beat_max_loop_interval = 1
