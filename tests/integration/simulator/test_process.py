"""Tests of the simulator as a process: command line, TLS and proxy."""

import signal
import ssl
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

from support.processes import end, launch
from support.simulator import RunningSimulator

COMMAND = [sys.executable, "-m", "financehub_simulator"]


def test_command_with_a_port_in_use_exits_with_2(simulator: RunningSimulator):
    """A port in use makes the command exit with code 2 and one line that names the port."""
    port = simulator.base_url.rsplit(":", 1)[1]
    result = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert result.stderr == f"financehub-simulator: 127.0.0.1:{port} is in use; choose another port\n"
    assert result.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_prints_a_ready_line_and_exits_on_signals(number: signal.Signals):
    """One line names the address. On either signal the process exits with 0 and no output, even during a response."""
    process = launch([*COMMAND, "--port", "0", "--seed", "11"], stdout=PIPE, stderr=PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("financehub-simulator: http://127.0.0.1:")
        assert line.endswith(" seed=11\n")
        url = line.split()[1]
        httpx.post(
            f"{url}/_control", json={"fault": "slow", "upstream": "rss", "seconds": 60}, trust_env=False, timeout=60
        )
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/rss/cnbc", timeout=httpx.Timeout(30, read=0.1), trust_env=False)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        end(process)
    assert (process.returncode, output, errors) == (0, "", "")


def test_history_after_a_restart_is_unchanged():
    """Two processes with the same seed return the same history."""
    histories = []
    for _ in range(2):
        with RunningSimulator(process=True, seed=5) as running:
            url = f"{running.url('binance')}/api/v3/klines?symbol=BTCUSDT&interval=1d&endTime=1790000000000"
            histories.append(httpx.get(url, trust_env=False, timeout=60).json())
    assert histories[0] == histories[1]
    assert len(histories[0]) == 500


def test_proxy_serves_real_hosts_and_rejects_others(tmp_path: Path):
    """With proxy and authority, the simulator serves https://<real host>. The proxy rejects any other host."""
    with RunningSimulator(ca_directory=tmp_path) as running:
        context = ssl.create_default_context(cafile=running.proxy_environment["SSL_CERT_FILE"])
        with httpx.Client(proxy=running.proxy_url, verify=context, trust_env=False, timeout=60) as client:
            price = client.get("https://data-api.binance.vision/api/v3/ticker/price?symbol=BTCUSDT")
            feed = client.get("https://www.coindesk.com/arc/outboundfeeds/rss/")
            with pytest.raises(httpx.ProxyError, match="403"):
                client.get("https://example.com/")
            running.set_fault("cut", "binance", times=1)
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("https://data-api.binance.vision/api/v3/ticker/price?symbol=BTCUSDT")
        assert price.json()["symbol"] == "BTCUSDT"
        assert "<rss" in feed.text
        assert running.request_counts() == {"binance": {"/api/v3/ticker/price": 2}, "rss": {"/{feed}": 1}}


def test_proxy_rejects_plain_http_requests(tmp_path: Path):
    """The proxy responds to a plain HTTP request with 405 and an explanation."""
    with (
        RunningSimulator(ca_directory=tmp_path) as running,
        httpx.Client(proxy=running.proxy_url, trust_env=False, timeout=60) as client,
    ):
        response = client.get("http://api.kraken.com/0/public/Ticker")
        assert response.status_code == 405
        assert "CONNECT only" in response.text


def test_proxy_environment_without_a_ca_directory_raises(simulator: RunningSimulator):
    """Without a CA directory there is no proxy, and the error explains how to get one."""
    with pytest.raises(RuntimeError, match="ca_directory"):
        _ = simulator.proxy_environment
