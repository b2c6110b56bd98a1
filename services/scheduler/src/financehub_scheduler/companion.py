"""The composition root of the companion process, which does for a cluster what must not delay the engine.

It watches ScheduledTasks, writes statuses and Events as the holder of the Lease, serves HTTP and runs the janitor. The
engine process starts it, and it ends with the engine process.
"""

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.core.listener import Listeners
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.warnings import SpecWarnings
from financehub_scheduler.kubernetes.operator import Operator
from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.mirror import Mirror
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_scheduler.link.relay import EngineVitals, Relay
from financehub_scheduler.link.spawn import become_companion
from financehub_scheduler.link.wire import Happened, Ready, Reported, Stop, Vitals, Watching
from financehub_scheduler.periodic import cancel_all, every, freeze_startup_objects, log_errors, reading_step
from financehub_scheduler.serving import build_observability, janitor_step
from financehub_scheduler.signals import ignore_signals
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, exit_on_config_error, load_settings
from financehub_shared.logging import Redactor, configure_logging, known_secrets
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect_async
from financehub_shared.redis.server_clock import ServerClock

log = structlog.get_logger(__name__)

#: Seconds between two signs of life.
_SIGN_SECONDS = 1.0
#: Schedules per message, which takes the engine's loop half a millisecond.
_ROWS = 25
#: Characters in the specs of one message, which take the engine's loop a millisecond. A ScheduledTask can have 1.5 MB,
#: and 25 of these would exceed the longest frame, so a longer one is sent alone.
_CHARACTERS = 256 * 1024


async def serve(settings: Settings, origin: ClusterOrigin, link: socket.socket, engine: int) -> None:
    """Serve until the engine ends this process or dies.

    Args:
        settings: Settings of the process.
        origin: The cluster.
        link: Our end of the link.
        engine: Process id of the engine.

    Raises:
        ConfigError: No cluster is configured, or the HTTP port is in use.
    """
    configure_logging(settings, "scheduler")
    clock = ServerClock(SystemClock())
    metrics = Metrics("scheduler", settings.release, (engine,))
    client = connect_async(settings.broker_url, retries=1)
    mirror = Mirror()
    operator = await Operator.connect(
        clock,
        origin.namespaces,
        origin.lease,
        mirror.states,
        client,
        Redactor(known_secrets(settings)),
        origin.identity,
    )
    reporter = Reporter(metrics, mirror.states)
    relay = Relay(mirror, Listeners([reporter, SpecWarnings(clock), *operator.listeners]), reporter)
    vitals = EngineVitals(clock, metrics.event_loop_lag, metrics.redis_command_duration.labels("queues"))
    probe = HealthProbe(vitals, clock, operator.source.liveness, operator.source.startup_problems)
    observability = build_observability(settings, metrics, probe, mirror.states, reporter, vitals.blocked, clock)
    # After everything that can refuse the configuration, so that its error is the only line.
    observability.start_server()
    channel = await Channel.open(link)
    await channel.send_and_wait(Ready())
    steps = [
        janitor_step(settings, metrics, mirror.states),
        *((seconds, log_errors(step)) for seconds, step in operator.steps),
        *((seconds, reading_step(step)) for seconds, step in operator.redis_steps),
    ]
    background = [
        _report_changes(operator, mirror, relay, channel),
        _show_life(operator, channel, clock),
        freeze_startup_objects(vitals, clock),
        *(every(seconds, step, clock) for seconds, step in steps),
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in background]
        is_stopped = await _listen(channel, relay, vitals)
        await cancel_all(tasks)
    if is_stopped:
        await operator.aclose()
        await client.aclose()


async def _listen(channel: Channel, relay: Relay, vitals: EngineVitals) -> bool:
    """Process what the engine sends. Return whether it has ended this process, and not died."""
    while True:
        match await channel.receive():
            case Happened() as message:
                relay.happened(message)
            case Vitals() as message:
                vitals.adopt(message)
            case Stop():
                return True
            case _:
                return False


async def _report_changes(operator: Operator, mirror: Mirror, relay: Relay, channel: Channel) -> None:
    """Report what the watch delivers, in messages so small that the engine is not delayed by one."""
    refused: dict[str, str] = {}
    async for changes in operator.source.changes():
        for uid in (*changes.removed, *changes.deactivated):
            mirror.forget(uid)
        for schedule in changes.upserts:
            if mirror.compiled(schedule):
                relay.state_changed(schedule.uid)
        before, refused = refused, operator.source.refused
        first, *others = parts(changes, _ROWS)
        await channel.send_and_wait(Reported(first, *refusal_changes(before, refused)))
        for part in others:
            await channel.send_and_wait(Reported(part))


def refusal_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the refusals that are new or different, and the names of those that are gone.

    Args:
        before: `namespace/name` → problem, as it was reported.
        after: The same as it is now.
    """
    changed = {name: problem for name, problem in after.items() if before.get(name) != problem}
    return changed, [name for name in before if name not in after]


def parts(changes: Changes, limit: int) -> Sequence[Changes]:
    """Divide changes into small parts. Only the last one may say that the report is complete.

    Args:
        changes: The changes.
        limit: Maximum number of schedules in each part. There are fewer if they are long.
    """
    found: list[Changes] = []
    for taken in _groups(changes.upserts, limit):
        since = {item.uid: changes.since[item.uid] for item in taken if item.uid in changes.since}
        found.append(Changes(taken, since=since, keep_known_state=changes.keep_known_state, complete=False))
    first = found[0] if found else replace(changes, upserts=(), since={})
    found[:1] = [replace(first, removed=changes.removed, deactivated=changes.deactivated)]
    found[-1] = replace(found[-1], complete=changes.complete)
    return found


def _groups(schedules: Iterable[Schedule], limit: int) -> Iterator[list[Schedule]]:
    group: list[Schedule] = []
    characters = 0
    for schedule in schedules:
        size = len(schedule.spec_json) + len(schedule.message_head)
        if group and (len(group) == limit or characters + size > _CHARACTERS):
            yield group
            group, characters = [], 0
        group.append(schedule)
        characters += size
    if group:
        yield group


async def _show_life(operator: Operator, channel: Channel, clock: ServerClock) -> None:
    while True:
        await channel.send_and_wait(Watching(operator.source.observed_at, operator.source.absent))
        await clock.sleep(_SIGN_SECONDS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The companion of a scheduler, which starts it.")
    parser.add_argument("--link", type=int, required=True, help="descriptor of the socket to the engine process")
    parser.add_argument("--engine", type=int, required=True, help="process id of the engine process")
    parser.add_argument("--lease", required=True, help="name of the Lease whose holder writes status")
    parser.add_argument("--identity", required=True, help="name of the scheduler as a holder of the Lease")
    parser.add_argument("--namespace", action="append", default=[], help="watch only this namespace; can be repeated")
    return parser.parse_args()


def run(settings: Settings, origin: ClusterOrigin, link: socket.socket, engine: int) -> None:
    """Run the companion. If the configuration is invalid, the process prints one line and exits with code 2.

    Args:
        settings: Settings of the process.
        origin: The cluster.
        link: Our end of the link.
        engine: Process id of the engine.
    """
    # The engine is told to stop, and ends this process at the right moment.
    ignore_signals((signal.SIGTERM, signal.SIGINT))
    become_companion(engine)
    try:
        asyncio.run(serve(settings, origin, link, engine))
    except ConfigError as error:
        exit_on_config_error(error)


def main() -> None:
    """Run a companion that is not a fork of the engine process, but a new program."""
    arguments = _arguments()
    origin = ClusterOrigin(tuple(arguments.namespace), arguments.lease, arguments.identity)
    try:
        settings = load_settings(os.environ)
    except ConfigError as error:
        # A file of a mounted Secret may be missing for a moment.
        exit_on_config_error(error)
    run(settings, origin, socket.socket(fileno=arguments.link), arguments.engine)


if __name__ == "__main__":
    main()
