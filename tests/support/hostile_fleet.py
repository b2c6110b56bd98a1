"""Writes hostile text wherever a program, an operator or a machine can name something that the console shows."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from financehub_shared.breaker import force_open
from financehub_shared.core.models import Quarantined
from financehub_shared.core.text import dump_json
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.monitor import RunState
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_finished
from financehub_shared.redis import keys
from financehub_web.actions.audit import Audit
from support.console import HOSTILE, HOSTILE_SYMBOL, fill_for_console, put_letter
from support.hostile_messages import message
from support.market_data import news
from support.run_events import start_event
from support.schedules import UID

if TYPE_CHECKING:
    import redis

#: The run of a task with a hostile name, and the dead letter of one.
NAMED_RUN, NAMED_LETTER = "run-of-a-hostile-task", "letter-of-a-hostile-task"
_UID = "hostile-uid"
#: The name of a schedule is a part of the path of its page, so a slash would end it.
_SCHEDULE = f"default/{HOSTILE.replace('/', '')}"


def fill_hostile(client: "redis.Redis", url: str) -> None:
    """Write everything that the pages show, with hostile names of tasks, schedules, hosts, upstreams and users.

    Args:
        client: Client of an empty Redis.
        url: URL of this Redis.
    """
    fill_for_console(client, url)
    now = time.time()
    _put_schedule(client, now)
    _put_symbol(RedisStore(client), now)
    info = ProcessInfo("hostile-process", "high", HOSTILE, 1, now, now)
    ProcessRegistry(client).write_heartbeat(replace(info, version=HOSTILE))
    client.persist(keys.process(info.id))  # a test may take longer than a heartbeat lasts
    for upstream in (HOSTILE, "binance"):
        force_open(client, upstream, HOSTILE, HOSTILE)
    Audit(client).record(HOSTILE, "trigger", HOSTILE, details={HOSTILE: HOSTILE})
    names = {"stats": keys.task_stats(HOSTILE), "running": keys.task_running(HOSTILE)}
    start = start_event(NAMED_RUN, task=HOSTILE, started_at=now, enqueued_at=now, worker=HOSTILE, **names)
    writer = RecordWriter(client, time.monotonic, 86_400)
    writer.record_end(attempt_finished(start, RunState.DEAD_LETTERED, now + 1, 1.0, error=HOSTILE))
    writer.flush()
    put_letter(client, NAMED_LETTER, message(HOSTILE, id=NAMED_LETTER))


def _put_symbol(store: RedisStore, now: float) -> None:
    """Write records of an asset with the hostile symbol, which lead to its page."""
    store.put_news([news("symbol", HOSTILE, now, HOSTILE_SYMBOL)])
    store.put_quarantined([Quarantined("quote", HOSTILE_SYMBOL, HOSTILE, HOSTILE, HOSTILE, now)])


def _put_schedule(client: "redis.Redis", now: float) -> None:
    """Write a schedule with a hostile name, which a user with a hostile name has paused for a hostile reason."""
    client.copy(keys.schedule(UID), keys.schedule(_UID))
    client.hset(keys.schedule(_UID), mapping={"name": _SCHEDULE, "task": HOSTILE})
    client.zadd(keys.SCHEDULES, {_UID: now})
    client.hset(keys.SCHEDULE_NAMES, _SCHEDULE, _UID)
    client.hset(keys.SCHEDULE_NEXT_RUNS, _UID, dump_json({"next": [], "problem": HOSTILE}))
    client.hset(keys.SCHEDULES_PAUSED, _UID, dump_json({"by": HOSTILE, "reason": HOSTILE, "at": now}))
