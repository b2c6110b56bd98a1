"""How many due runs of a schedule wait for the previous one."""

from typing import Any


def waiting_runs(is_waiting: Any, further: Any) -> int:
    """Return the number of buffered runs of a schedule.

    Args:
        is_waiting: Whether it has an entry in `keys.SCHEDULES_BUFFERED`. Without one, no run waits.
        further: Length of its list `keys.schedule_buffered`; anything else if the key has another type.
    """
    if not is_waiting:
        return 0
    return 1 + further if isinstance(further, int) else 1
