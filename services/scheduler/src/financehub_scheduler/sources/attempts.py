"""Calls functions of the operating system that may never return, such as a read from a broken network file system."""

import queue
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

#: Results that may wait for the caller, so that the contents of thousands of files are not in memory at once.
_AHEAD = 16
#: Seconds after which a waiting thread notices that it should stop.
_SLICE_SECONDS = 0.1


class Attempts:
    """Calls a function for many keys, and gives a key up that takes too long.

    The calls are made in separate threads, because nothing ends a thread that hangs in the kernel. They are daemons, so
    the process can end without them. A key whose earlier call still hangs is not called again.

    Args:
        seconds: Time that one call may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._hanging: dict[Hashable, threading.Thread] = {}
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End all waiting from another thread, because the process ends."""
        self._stopped.set()

    def each(self, keys: Sequence[K], call: Callable[[K], R]) -> Iterator[tuple[K, R | OSError]]:
        """Yield the result of each call, or its error: a `TimeoutError` if it hangs. After `stop`, it yields nothing.

        Args:
            keys: The keys, without duplicates.
            call: The function. It may raise `OSError`.
        """
        hanging = [key for key in keys if self._hangs(key)]
        for key in hanging:
            yield key, TimeoutError("an earlier attempt still waits for an answer")
        rest = [key for key in keys if key not in hanging]
        while rest and not self.stopped:
            results: queue.Queue[R | OSError] = queue.Queue(_AHEAD)
            abandoned = threading.Event()
            arguments = (rest, call, results, abandoned)
            thread = threading.Thread(target=_call_all, args=arguments, name="schedules-folder", daemon=True)
            thread.start()
            done = 0
            try:
                for key in rest:
                    found = self._wait(results)
                    if not found:
                        break
                    done += 1
                    yield key, found[0]
            finally:
                abandoned.set()
            if done < len(rest) and not self.stopped:
                self._hanging[rest[done]] = thread
                yield rest[done], TimeoutError(f"there was no answer within {self._seconds:g} s")
            rest = rest[done + 1 :]

    def _hangs(self, key: Hashable) -> bool:
        if key in self._hanging and not self._hanging[key].is_alive():
            del self._hanging[key]
        return key in self._hanging

    def _wait(self, results: "queue.Queue[R | OSError]") -> list[R | OSError]:
        """Return the next result in a list, or an empty list if there is none in time."""
        for _ in range(max(1, round(self._seconds / _SLICE_SECONDS))):
            if self.stopped:
                break
            try:
                return [results.get(timeout=_SLICE_SECONDS)]
            except queue.Empty:
                continue
        return []


def _call_all(
    keys: Sequence[K], call: Callable[[K], R], results: "queue.Queue[R | OSError]", abandoned: threading.Event
) -> None:
    for key in keys:
        try:
            result: R | OSError = call(key)
        except OSError as error:
            result = error
        while not abandoned.is_set():
            try:
                results.put(result, timeout=_SLICE_SECONDS)
                break
            except queue.Full:
                continue
        if abandoned.is_set():
            return
