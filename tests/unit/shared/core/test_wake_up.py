"""The signal that wakes one waiting thread."""

import threading

from financehub_shared.core.wake_up import WakeUp


def test_signal_before_the_wait_ends_it_at_once_and_only_once() -> None:
    """Several signals before a wait count as one, and the wait resets them."""
    wake_up = WakeUp()
    for _ in range(3):
        wake_up.set()
    assert wake_up.wait(60)
    assert not wake_up.wait(0)


def test_signal_of_another_thread_ends_the_wait() -> None:
    """Each of 1,000 signals that are sent one after the other is noticed."""
    wake_up, seen = WakeUp(), WakeUp()

    def signal() -> None:
        for _ in range(1_000):
            wake_up.set()
            assert seen.wait(30)

    thread = threading.Thread(target=signal)
    thread.start()
    for _ in range(1_000):
        assert wake_up.wait(30)
        seen.set()
    thread.join()
    assert not wake_up.wait(0)
