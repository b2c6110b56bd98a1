"""Runs the unmodified yfinance against the simulator that the environment specifies.

`test_yfinance` runs it in its own process.
"""

import json
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
import yfinance as yf  # noqa: E402 — pandas warns at import, so the filter comes first
from yfinance.data import YfData  # noqa: E402

warnings.simplefilter("ignore")
QUOTE = "https://query1.finance.yahoo.com/v7/finance/quote"


def main() -> None:
    yf.set_tz_cache_location(tempfile.mkdtemp())
    yf.config.debug.hide_exceptions = False
    data = YfData()
    quotes = [data.get(QUOTE, params={"symbols": "AAPL,VOD.L,NOPE"}).json() for _ in range(3)]
    history = yf.Ticker("AAPL").history(start="2025-01-06", end="2025-01-11")
    unknown = ""
    try:
        yf.Ticker("NOPE").history(period="5d")
    except Exception as error:  # noqa: BLE001 — the result is any error that yfinance raises
        unknown = str(error)
    sys.stdout.write(
        json.dumps(
            {
                "symbols": [quote["symbol"] for quote in quotes[-1]["quoteResponse"]["result"]],
                "days": [str(day.date()) for day in history.index],
                "closes": [round(float(close), 2) for close in history["Close"]],
                "price": float(yf.Ticker("AAPL").fast_info.last_price),
                "unknown": unknown,
            }
        )
    )


main()
