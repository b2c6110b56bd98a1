"""Handles the signals that stop a scheduler."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from financehub_shared.core.exit_deadline import ExitDeadline


def handle_signals(
    signals: Sequence[signal.Signals], action: Callable[[], None], deadline: ExitDeadline | None = None
) -> None:
    """Call an action in the running event loop for each signal that arrives, or that has arrived while it was blocked.

    The event loop's own handlers are not used, because it restores the default ones when it is closed, and they would
    kill a process that is about to end.

    Args:
        signals: The signals.
        action: What to do.
        deadline: Begins with the first signal, even if the event loop is blocked.
    """
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if deadline is not None:
            deadline.begin()
        loop.call_soon_threadsafe(action)

    for number in signals:
        signal.signal(number, handle)
    # A container blocks SIGTERM until there is a handler (deploy/docker/Dockerfile).
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def ignore_signals(signals: Sequence[signal.Signals]) -> None:
    """Ignore signals until the process has ended.

    Args:
        signals: The signals, which `handle_signals` has handled so far.
    """
    for number in signals:
        signal.signal(number, signal.SIG_IGN)
