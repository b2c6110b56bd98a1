"""Builds what shows the state of a scheduler to others, and what works for the whole fleet.

That is the HTTP server with its probes, reports and metrics, and the janitor. They are in the engine's process if the
schedules are in a folder, and otherwise in the companion process.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.core.reporter import Reporter
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.metrics import FailingSchedules, known_schedules, pause_metrics, state_metrics
from financehub_scheduler.observability import SchedulerObservability
from financehub_scheduler.periodic import JanitorRounds, Step, log_errors
from financehub_shared.broker.janitor import Janitor
from financehub_shared.core.settings import Settings
from financehub_shared.metrics import Metrics, MetricSource
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect
from financehub_shared.redis.server_clock import ServerClock


def build_observability(
    settings: Settings,
    metrics: Metrics,
    probe: HealthProbe,
    states: Mapping[str, ScheduleState],
    reporter: Reporter,
    blocked: Callable[[], list[str]],
    clock: ServerClock,
) -> SchedulerObservability:
    """Build the probes, health reports and metrics of this scheduler and the fleet.

    Args:
        settings: Settings of the process.
        metrics: Metrics of the process.
        probe: Decides whether the scheduler is alive and ready.
        states: uid → state of each active schedule.
        reporter: Knows which schedules have their own series.
        blocked: Returns why Redis cannot be used now.
        clock: Clock of the process, which shows the time of Redis.
    """
    client = connect(settings.broker_url, retries=0, timeout=SCRAPE_TIMEOUT_SECONDS)
    failing = FailingSchedules(states, reporter, client)
    metrics.add_source(MetricSource("schedules", partial(state_metrics, states), needs_redis=False))
    metrics.add_source(MetricSource("paused schedules", partial(pause_metrics, states, reporter), needs_redis=False))
    metrics.add_source(MetricSource("failing schedules", failing.read))
    known = partial(known_schedules, states)

    def readiness() -> list[str]:
        # The engine knows only that Redis does not take its runs, but not the reason.
        return blocked() or probe.readiness()

    return SchedulerObservability(
        settings, metrics, liveness=probe.liveness, readiness=readiness, known_schedules=known, clock=clock
    )


def janitor_step(settings: Settings, metrics: Metrics, states: Mapping[str, ScheduleState]) -> tuple[float, Step]:
    """Return the step that runs the janitor, with its interval in seconds.

    Args:
        settings: Settings of the process.
        metrics: Counts reclaimed messages.
        states: uid → state of each active schedule.
    """
    janitor = Janitor(
        connect(settings.broker_url, retries=0),
        heartbeat_timeout_seconds=settings.heartbeat_timeout_seconds,
        dead_letter_retention_days=settings.dead_letter_retention_days,
        max_dead_letters=settings.max_dead_letters,
    )
    rounds = JanitorRounds(janitor, metrics, states)

    @log_errors
    async def run_janitor() -> None:
        await asyncio.to_thread(rounds.run)

    return settings.janitor_interval_seconds, run_janitor
