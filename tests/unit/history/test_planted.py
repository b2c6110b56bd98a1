"""The planted bugs of `make history ARGS=--planted` fit the code."""

import subprocess
import sys

from history.planted import BUGS


def test_every_bug_can_be_planted() -> None:
    """A bug replaces text or methods of the code. If the code changes, the bug has to follow, or it checks nothing."""
    program = "import sys\nfrom history.planted import plant\nfor name in sys.argv[1:]:\n    plant(name)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program, *BUGS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
