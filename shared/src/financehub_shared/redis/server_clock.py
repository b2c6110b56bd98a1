"""The time of the queue Redis, which all processes of a fleet share.

Processes compare their time with timestamps of other processes: ages of messages, due times, delays, heartbeats. A
process whose own clock is wrong would skip messages or enqueue runs at the wrong time. Therefore each process measures
the difference to the clock of Redis and uses the time of Redis.

Between two measurements the time advances with the monotonic clock, so setting the wall clock of the machine has no
effect.
"""

import math
import threading

import redis

from financehub_shared.core.clock import Clock

#: Seconds between two measurements. Clocks of computers drift by a few milliseconds in a minute.
MEASURE_SECONDS = 60.0
#: If the difference between the two clocks changes by more than this, it is measured again at once. Either the wall
#: clock of this machine or that of Redis was set, or the machine was suspended, which stops the monotonic clock, or
#: another server became the master.
JUMP_SECONDS = 0.5


def server_time(client: "redis.Redis") -> float:
    """Return the time of a Redis server in Unix seconds, for one comparison with timestamps in it.

    Args:
        client: Client of the server.

    Raises:
        redis.RedisError: Redis did not answer or refused the command.
    """
    seconds, microseconds = client.time()
    return float(seconds + microseconds / 1e6)


class ServerClock:
    """A `Clock` whose wall time is that of the queue Redis, or that of this machine before the first measurement.

    Args:
        local: The clock of this machine.
    """

    def __init__(self, local: Clock) -> None:
        #: The clock of this machine.
        self.local = local
        self._lock = threading.Lock()
        #: Redis's time minus the monotonic time, in seconds.
        self._offset: float | None = None
        #: This machine's wall time minus the monotonic time at the last measurement, in seconds.
        self._wall_offset = 0.0
        self._measured_at = 0.0
        #: Monotonic time before which `measure_if_due` does not try again.
        self._retry_at = -math.inf

    def now(self) -> float:
        """Return the time of Redis in seconds since the Unix epoch."""
        offset = self._offset
        return self.local.now() if offset is None else self.local.monotonic() + offset

    def monotonic(self) -> float:
        return self.local.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.local.sleep(seconds)

    def skew(self) -> float | None:
        """Return this machine's time minus Redis's time in seconds; None before the first measurement."""
        return None if self._offset is None else self.local.now() - self.now()

    @property
    def is_due(self) -> bool:
        """Whether the difference should be measured now."""
        monotonic = self.local.monotonic()
        jump = self.local.now() - monotonic - self._wall_offset
        return self._offset is None or abs(jump) > JUMP_SECONDS or monotonic - self._measured_at >= MEASURE_SECONDS

    def should_measure(self, skew: float, seconds: float) -> bool:
        """Whether the difference should be measured now, also because the clock of Redis was set.

        Args:
            skew: This machine's time minus the time in a reply of Redis, in seconds.
            seconds: Duration of that round trip.
        """
        known = self.skew()
        return self.is_due or known is None or abs(skew - known) > JUMP_SECONDS + seconds

    @property
    def offset(self) -> float | None:
        """Redis's time minus the monotonic time, in seconds; None before the first measurement."""
        return self._offset

    def adopt(self, offset: float | None) -> None:
        """Use what another process of this machine has measured, whose monotonic time is the same.

        Args:
            offset: Redis's time minus the monotonic time, in seconds; None if it has not measured it yet.
        """
        with self._lock:
            self._offset, self._measured_at = offset, self.local.monotonic()
            self._wall_offset = self.local.now() - self._measured_at

    def measure(self, client: "redis.Redis") -> None:
        """Measure the difference to the clock of Redis with one command.

        Args:
            client: Client of the queue Redis.

        Raises:
            redis.RedisError: Redis did not answer or refused the command. The last measurement stays in force.
        """
        started = self.local.monotonic()
        time = server_time(client)
        ended = self.local.monotonic()
        offset = time - (started + ended) / 2
        with self._lock:
            # A difference that the duration of the command can explain does not mean that a clock was set.
            if self._offset is None or abs(offset - self._offset) > (ended - started) / 2:
                self._offset = offset
            self._wall_offset = self.local.now() - ended
            self._measured_at = ended

    def measure_if_due(self, client: "redis.Redis") -> None:
        """Measure the difference if a minute has passed.

        An error is ignored, because the caller's next command has it too, unless the ACL denies only TIME. The next
        attempt follows after `MEASURE_SECONDS`, so that not every caller waits twice for a Redis that hangs.

        Args:
            client: Client of the queue Redis.
        """
        if self.is_due and self.local.monotonic() >= self._retry_at:
            try:
                self.measure(client)
            except redis.RedisError:
                self._retry_at = self.local.monotonic() + MEASURE_SECONDS
