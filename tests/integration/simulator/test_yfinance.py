"""The real yfinance, unchanged, through the CONNECT proxy."""

import json
import os
import subprocess
import sys
from pathlib import Path

from financehub_simulator.testing import RunningSimulator


def test_unchanged_yfinance_is_served(tmp_path: Path):
    """Cookie, crumb, quotes, history and fast_info work; three quote requests cost one cookie and one crumb."""
    with RunningSimulator(ca_directory=tmp_path) as running:
        environment = {**os.environ, **running.proxy_environment}
        script = Path(__file__).with_name("yfinance_client.py")
        ended = subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr
        counts = running.requests("yahoo")
    told = json.loads(ended.stdout)
    assert told["symbols"] == ["AAPL", "VOD.L"]
    assert told["days"] == ["2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09", "2025-01-10"]
    assert told["price"] > 0
    assert "404" in told["unknown"]
    assert counts["/v7/finance/quote"] == 3
    assert counts["/"] == 1
