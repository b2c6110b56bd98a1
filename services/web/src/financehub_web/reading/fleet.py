"""`Fleet` reads everything that the pages and the API show. Its methods block; call them from a thread."""

from typing import cast

from starlette.requests import Request

from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health.checks import FleetSnapshot
from financehub_shared.health.report import HealthReport
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

    def snapshot(self) -> Reading[FleetSnapshot]:
        """Return everything from which the health report is made: processes, queues, breakers, freshness."""
        return self._queues.get("snapshot", self._read_snapshot)

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
