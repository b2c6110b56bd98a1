"""Errors that reach the `financehub` command itself."""

import errno
import subprocess
import sys

import pytest

FAILING = """
import financehub_cli
def app(**_):
    raise OSError({number}, "the reason")
financehub_cli.app = app
financehub_cli.main()
"""


@pytest.mark.parametrize(
    ("number", "is_output"),
    [
        *((number, True) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE)),
        *((number, False) for number in (errno.EACCES, errno.ENOENT, errno.EMFILE)),
    ],
    ids=lambda value: errno.errorcode.get(value) if value > 1 else None,
)
def test_main_with_an_error_of_the_system_blames_the_output_only_for_errors_of_writes(
    number: int, is_output: bool
) -> None:
    """A full disk has one line. A missing file is a defect of the command, whose traceback is needed."""
    command = [sys.executable, "-c", FAILING.format(number=number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert (done.stderr == "financehub: the output cannot be written: the reason\n") is is_output
    assert ("Traceback" in done.stderr) is not is_output
