"""Lets Ctrl-C and SIGTERM end a soak in order, also if another process has started it."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """Let Ctrl-C, SIGTERM and the end of the terminal raise KeyboardInterrupt in the main thread."""
    for number in _caught():
        signal.signal(number, signal.default_int_handler)


def _caught() -> list[signal.Signals]:
    # `nohup` lets a program outlive its terminal.
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _SIGNALS if number != signal.SIGHUP or not ignored]


def run_forwarding(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program, send it the signals that this process gets, and return its exit code.

    The program has a session without the terminal, because Ctrl-C would otherwise also end the commands that it has
    started, such as the one that makes a fault undone.

    Args:
        command: The command line.
        environment: All environment variables.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        if process is None:
            early.append(number)
        else:
            process.send_signal(signal.SIGINT)

    # The handlers come first, because a signal during the start would otherwise end only this process.
    before = {number: signal.signal(number, forward) for number in _caught()}
    try:
        process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
        if early:
            process.send_signal(signal.SIGINT)
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
