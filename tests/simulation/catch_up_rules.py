"""What docs/schedules.md says about late due times, for the model. It shares no code with the product."""

from collections.abc import Sequence

#: A due run that is at most this late is in time.
IN_TIME = 10_000
MOST_CAUGHT_UP, MOST_COUNTED = 100, 1_000


def runs(waiting: Sequence[int], lateness: Sequence[int], catch_up: str, window: int | None) -> set[int]:
    """Return which due times still run. All others are missed.

    Args:
        waiting: The due times that are not settled and whose enqueue time has come, ascending, in milliseconds.
        lateness: For how long each one should have been enqueued, in milliseconds.
        catch_up: `spec.catchUp`.
        window: `spec.startingDeadlineSeconds` in milliseconds.
    """
    newest = set(waiting[-MOST_CAUGHT_UP:])
    in_time = {due for due, late in zip(waiting, lateness, strict=True) if late <= IN_TIME} & newest
    match catch_up:
        case "All":
            chosen = newest
        case "Latest":
            chosen = in_time or set(waiting[-1:])
        case "None":
            chosen = in_time
        case _:
            raise AssertionError(catch_up)
    late = dict(zip(waiting, lateness, strict=True))
    return {due for due in chosen if window is None or late[due] < window}
