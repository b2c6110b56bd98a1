"""Tests of the command-line options."""

import pytest

from financehub_simulator.__main__ import main


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--port", "abc"], "'abc' is not a port; use a number from 0 (any free port) to 65535"),
        (["--port", "65536"], "'65536' is not a port; use a number"),
        (["--latency-ms", "-5"], "'-5' is not a latency; use a number of milliseconds"),
        (["--tls-port", "0"], "--tls-port requires --ca-dir"),
        (["--proxy-port", "0"], "--proxy-port requires --tls-port"),
    ],
)
def test_command_with_an_invalid_option_exits_with_2(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
):
    """An invalid option makes the command exit with code 2 and an error that names the value and the valid values."""
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err
