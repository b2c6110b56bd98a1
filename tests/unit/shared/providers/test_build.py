"""Imports and connections caused by building a process's providers."""

import subprocess
import sys

SCRIPT = """
import sys
from financehub_shared.core.clock import SystemClock
from financehub_shared.providers.build import build_providers
from financehub_shared.core.settings import load_settings

providers = build_providers(load_settings({}), SystemClock(), lambda *_: None, redis_url="redis://127.0.0.1:1/0")
providers.quotes
print(*sorted({"feedparser", "yfinance", "pandas", "numpy"} & set(sys.modules)))
"""


def test_providers_of_quotes_import_no_heavy_library():
    """The high tier starts without these libraries and without a connection. The first stock fetch imports yfinance."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip() == ""
