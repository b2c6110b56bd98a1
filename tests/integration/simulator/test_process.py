"""The command line, TLS and proxy: the simulator as a process."""

import signal
import ssl
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

from financehub_simulator.testing import RunningSimulator
from support.processes import end, launch

COMMAND = [sys.executable, "-m", "financehub_simulator"]


def test_taken_port_is_one_clear_line(simulator: RunningSimulator):
    """A port that somebody has ends the start with one line that says so, and exit code 2."""
    port = simulator.base_url.rsplit(":", 1)[1]
    ended = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"financehub-simulator: 127.0.0.1:{port} is taken; choose another\n"
    assert ended.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_and_graceful_end(number: signal.Signals):
    """One line tells where it listens; on either signal it ends with code 0 and no word, even while an answer waits."""
    process = launch([*COMMAND, "--port", "0", "--seed", "11"], stdout=PIPE, stderr=PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("financehub-simulator: http://127.0.0.1:")
        assert line.endswith(" seed=11\n")
        url = line.split()[1]
        httpx.post(f"{url}/_control", json={"fault": "slow", "upstream": "rss", "seconds": 60}, trust_env=False)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/rss/cnbc", timeout=0.1, trust_env=False)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    finally:
        end(process)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_restart_agrees_about_prices():
    """Two processes with one seed give the same history."""
    answers = []
    for _ in range(2):
        with RunningSimulator(process=True, seed=5) as running:
            url = f"{running.url('binance')}/api/v3/klines?symbol=BTCUSDT&interval=1d&endTime=1790000000000"
            answers.append(httpx.get(url, trust_env=False).json())
    assert answers[0] == answers[1]
    assert len(answers[0]) == 500


def test_real_hosts_are_served_through_the_proxy(tmp_path: Path):
    """With proxy and authority, https://<real host> is the simulator; any other host is refused, never reached."""
    with RunningSimulator(ca_directory=tmp_path) as running:
        context = ssl.create_default_context(cafile=running.proxy_environment["SSL_CERT_FILE"])
        with httpx.Client(proxy=running.proxy_url, verify=context, trust_env=False) as client:
            price = client.get("https://data-api.binance.vision/api/v3/ticker/price?symbol=BTCUSDT")
            feed = client.get("https://www.coindesk.com/arc/outboundfeeds/rss/")
            with pytest.raises(httpx.ProxyError, match="403"):
                client.get("https://example.com/")
            running.fault("cut", "binance", times=1)
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("https://data-api.binance.vision/api/v3/ticker/price?symbol=BTCUSDT")
        assert price.json()["symbol"] == "BTCUSDT"
        assert "<rss" in feed.text
        assert running.requests() == {"binance": {"/api/v3/ticker/price": 2}, "rss": {"/{feed}": 1}}


def test_proxy_takes_connect_only(tmp_path: Path):
    """A plain request through the proxy is refused with words, not left hanging."""
    with (
        RunningSimulator(ca_directory=tmp_path) as running,
        httpx.Client(proxy=running.proxy_url, trust_env=False) as client,
    ):
        answer = client.get("http://api.kraken.com/0/public/Ticker")
        assert answer.status_code == 405
        assert "CONNECT only" in answer.text


def test_proxy_environment_needs_an_authority(simulator: RunningSimulator):
    """Without a CA directory there is no proxy, and asking for its environment says how to get one."""
    with pytest.raises(RuntimeError, match="ca_directory"):
        _ = simulator.proxy_environment
