"""The command line's options."""

import pytest

from financehub_simulator.__main__ import main


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--port", "abc"], "'abc': a port is a number from 0 (any) to 65535"),
        (["--port", "65536"], "'65536': a port is a number"),
        (["--latency-ms", "-5"], "'-5': a latency is a number of milliseconds"),
        (["--tls-port", "0"], "--tls-port needs --ca-dir"),
        (["--proxy-port", "0"], "--proxy-port needs --tls-port"),
    ],
)
def test_wrong_option_is_named(options: list[str], problem: str, capsys: pytest.CaptureFixture[str]):
    """A wrong option ends the start with exit code 2, naming value and what is allowed."""
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err
