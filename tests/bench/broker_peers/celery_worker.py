"""A Celery worker with the benchmark's task."""

import os

import redis
from celery import Celery

URL = os.environ["BENCH_URL"]
app = Celery("bench", broker=URL)
app.conf.task_ignore_result = True
app.conf.worker_send_task_events = True
app.conf.task_default_queue = "bench-celery"
app.conf.broker_connection_retry_on_startup = True
_client = redis.Redis.from_url(URL)


@app.task(name="noop")
def noop() -> None:
    """Count this run."""
    _client.incr("bench:done")
