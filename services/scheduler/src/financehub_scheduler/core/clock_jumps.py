"""Notices jumps of the wall clock."""

import structlog

from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Minimum change of the difference between wall clock and monotonic clock that counts as a jump.
_JUMP_SECONDS = 1.0


class ClockJumps:
    """Compares the wall clock with the monotonic clock.

    After a jump forward, the skipped due times are late and subject to catch-up. After a jump back, the repeated due
    times are not above the high-water marks and do not run again.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget everything before now, because the clock was corrected on purpose."""
        self._offset = self._clock.now() - self._clock.monotonic()

    def check(self) -> None:
        """Log a jump since the last call."""
        before = self._offset
        self.restart()
        if abs(jump := self._offset - before) > _JUMP_SECONDS:
            log.warning("clock_jumped", seconds=round(jump, 1))
