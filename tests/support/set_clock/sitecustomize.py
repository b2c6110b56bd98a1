"""Python imports this module at its start if its folder is in PYTHONPATH. It sets the wall clock of the process.

`CLOCK_SHIFT_FILE` names a file with the number of seconds by which the clock is wrong. It is read at each call, so a
test can set the clock of a running process. The monotonic clock stays right, as on a machine whose clock is set. The
program `faketime` cannot be used, because with it `time.sleep` fails.
"""

import os
import time
from pathlib import Path

_time, _time_ns = time.time, time.time_ns
_file = Path(os.environ["CLOCK_SHIFT_FILE"])


def _shift() -> float:
    return float(_file.read_text() or 0)


time.time = lambda: _time() + _shift()
time.time_ns = lambda: _time_ns() + round(_shift() * 1e9)
