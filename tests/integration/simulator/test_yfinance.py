"""Tests the unmodified yfinance through the CONNECT proxy."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.simulator import RunningSimulator


def test_unmodified_yfinance_works_with_one_cookie_and_one_crumb(tmp_path: Path):
    """Cookie, crumb, quotes, history and fast_info work. Three quote requests need one cookie and one crumb."""
    with RunningSimulator(ca_directory=tmp_path) as running:
        environment = {**os.environ, **running.proxy_environment}
        script = Path(__file__).with_name("yfinance_client.py")
        result = subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stderr
        counts = running.request_counts("yahoo")
    results = json.loads(result.stdout)
    assert results["symbols"] == ["AAPL", "VOD.L"]
    assert results["days"] == ["2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09", "2025-01-10"]
    assert results["price"] > 0
    assert "404" in results["unknown"]
    assert counts["/v7/finance/quote"] == 3
    assert counts["/"] == 1
