"""`Fleet` reads everything that the pages and the API show. Its methods block; call them from a thread."""

from collections.abc import Sequence
from typing import cast

from starlette.requests import Request

from financehub_shared.breaker import BreakerInfo, list_breakers
from financehub_shared.budget.usage import fleet_windows, read_budgets
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.health.report import HealthReport
from financehub_shared.metrics import BudgetFigures, QueueFigures
from financehub_shared.redis.server_facts import ServerFacts, read_facts
from financehub_web.reading.cache import Reading
from financehub_web.reading.market import MarketReadings


class Fleet(MarketReadings):
    """The state of the fleet in Redis.

    Every method that returns a `Reading` raises `StoreUnavailableError` if Redis does not answer and has not answered
    before.

    Args:
        settings: Redis URLs and check settings.
        clock: Clock of the process, which shows the time of Redis.
    """

    def health(self) -> HealthReport:
        """Return the health report. This method never raises, and an outage of Redis is a part of the report."""
        return self._readers.checker.report()

    def health_report(self) -> Reading[HealthReport]:
        """Return the health report. It is never missing, because an outage of Redis is a part of it."""
        return self._reports.get("health", self._readers.checker.report)

    def report_of(self, snapshot: FleetSnapshot) -> HealthReport:
        """Return the health report about a snapshot, as the health endpoint makes it. This method never raises."""
        return self._readers.checker.evaluate(snapshot)

    def snapshot(self) -> Reading[FleetSnapshot]:
        """Return everything from which the health report is made: processes, queues, breakers, freshness."""
        return self._queues.get("snapshot", self._read_snapshot)

    def servers(self) -> Reading[list[ServerFacts]]:
        """Return the facts of each Redis: its version, memory and persistence."""
        servers = self._readers.servers.items()
        return self._queues.get(
            "servers", lambda: [read_facts(name, client, self.clock, write=False) for name, client in servers]
        )

    def breakers(self) -> Reading[list[BreakerInfo]]:
        """Return the circuit breakers that have been used."""
        return self._data.get("breakers", lambda: list_breakers(self._data_client))

    def budgets(self) -> Reading[list[BudgetFigures]]:
        """Return the use of the budgets of all upstreams."""
        return self._data.get("budgets", self._read_budgets)

    def last_success(self) -> Reading[dict[tuple[str, str], float]]:
        """Return (dataset, provider) → time of the last delivery in Unix seconds."""
        return self._data.get("last-success", self._store.last_success)

    def queues(self) -> Reading[Sequence[QueueFigures]]:
        """Return the statistics of all queues, sorted by name."""
        return self._queues.get("queues", self._readers.queues.read_all)

    def processes(self) -> Reading[list[ProcessInfo]]:
        """Return the live workers and schedulers, sorted by tier."""
        return self._queues.get("processes", ProcessRegistry(self._client).live)

    def _read_budgets(self) -> list[BudgetFigures]:
        used = [info.upstream for info in self.breakers().required()]
        return read_budgets(self._data_client, fleet_windows(used))

    def _read_snapshot(self) -> FleetSnapshot:
        """Read the snapshot.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        snapshot = self._readers.checker.collect(self.schedules().required())
        if snapshot.redis_error:
            raise StoreUnavailableError(snapshot.redis_error)
        return snapshot


def fleet_of(request: Request) -> Fleet:
    """Return the fleet of the application that handles a request."""
    return cast("Fleet", request.app.state.fleet)
