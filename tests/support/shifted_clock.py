"""A wall clock of a process that a test can set while the process runs. Its monotonic clock is right."""

import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.redis_binaries import give_up


class ShiftedClock:
    """The clock of one process, which begins with the right time.

    Without Linux and a C compiler, the test is skipped, and on CI it fails.

    Args:
        directory: Directory for the library that shifts the clock.
    """

    def __init__(self, directory: Path) -> None:
        if sys.platform != "linux" or shutil.which("gcc") is None:
            give_up("the clock of a process can be shifted only on Linux with gcc (Debian package gcc)")
        self._library = directory / "shifted_clock.so"
        self._file = directory / "shift"
        self._file.write_bytes(bytes(8))
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", self._library, source, "-ldl"], check=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that give a process this clock."""
        return {"LD_PRELOAD": str(self._library), "SHIFT_FILE": str(self._file)}

    def shift(self, seconds: int) -> None:
        """Set the clock to the right time plus some seconds."""
        # The process has mapped the file, so it must not be replaced.
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))
