"""A signal that wakes one waiting thread."""

import threading


class WakeUp:
    """An event that a wait resets, for one thread that waits and any number of threads that signal.

    `threading.Event` does the same with a condition variable in Python, which takes twenty times as long. A worker
    signals and waits with every message.
    """

    def __init__(self) -> None:
        #: Held until the next signal.
        self._lock = threading.Lock()
        self._lock.acquire()
        self._change = threading.Lock()

    def set(self) -> None:
        """Wake the waiting thread, or let its next wait return at once."""
        with self._change:
            if self._lock.locked():
                self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait for a signal and reset it. Return whether there was one.

        Args:
            seconds: Longest wait.
        """
        return self._lock.acquire(timeout=seconds)
