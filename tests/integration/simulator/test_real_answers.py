"""The simulator's answers hold every field of the recorded real ones, of the same JSON type."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from financehub_simulator.testing import RunningSimulator
from financehub_simulator.upstreams.yahoo import crumb
from support.json_shape import json_shape

#: A Sunday: the recorded quotes of New York are of a closed market.
CLOSED = 1_739_703_289.0
#: What the recording asks for → what is asked of the simulator, with the reason.
REQUESTS = {
    "symbol=…&interval=1w": (
        "symbol=BTCUSDT&interval=1d",
        "the documentation leaves the symbol open; daily klines only",
    ),
    "interval=60": ("interval=1440", "daily candles only"),
}
#: (file, path, JSON type) that may differ, with the reason.
ALLOWED = {
    ("kraken-ohlc.json", "/result/last", "string"): "the recorder quotes numbers after a colon; Kraken sends a number",
}
FILES = [
    "binance-klines.json",
    "binance-ticker-price.json",
    "coingecko-markets.json",
    "kraken-ohlc.json",
    "kraken-ticker.json",
    *(
        f"yahoo/{name}.json"
        for name in (
            "chart-AAPL",
            "chart-AAPL-2020-08-31-to-2020-11-07",
            "chart-BTC-USD-2020-01-01-to-2020-01-03",
            "chart-GOOG-2020-01-01-to-2020-01-03",
            "chart-OCDO.L-2020-01-01-to-2020-01-03",
            "chart-WSU.DE-2023-08-04-to-2023-08-09",
            "quote-0P000071W8.TO",
            "quote-AAPL",
            "quote-AAPL-BABA",
            "quote-BTC-USD",
            "quote-EURUSD_X",
            "quote-OCDO.L",
            "quote-ORSTED.CO",
            "quote-QQQ",
            "quote-SI",
            "quote-WSKT.JK",
        )
    ),
]
UNKNOWN = ["yahoo/quote-SIX.json", "yahoo/quote-APS.AX.json"]


@pytest.fixture(scope="module")
def closed_market() -> Iterator[RunningSimulator]:
    with RunningSimulator(now=lambda: CLOSED, always_open=False) as running:
        yield running


def _ask(simulator: RunningSimulator, client: httpx.Client, name: str, path: str) -> httpx.Response:
    upstream = name.split("/", 1)[0] if "/" in name else name.split("-", 1)[0]
    for recorded, (asked, _reason) in REQUESTS.items():
        path = path.replace(recorded, asked)
    separator = "&" if "?" in path else "?"
    suffix = f"{separator}crumb={crumb(7)}" if "/v7/" in path else ""
    return client.get(f"{simulator.url(upstream)}{path}{suffix}")


@pytest.mark.real_data
@pytest.mark.parametrize("name", FILES)
def test_answer_has_every_recorded_field(
    name: str, real_answers: Path, closed_market: RunningSimulator, client: httpx.Client
):
    """Every field path of the recording is there with its JSON type, apart from the named exceptions."""
    recorded = json.loads((real_answers / name).read_text(encoding="utf-8"))
    answer = _ask(closed_market, client, name, recorded["path"])
    assert answer.status_code == recorded["status"]
    excused = {(path, kind) for file, path, kind in ALLOWED if file == name}
    assert json_shape(recorded["body"]) - json_shape(answer.json()) - excused == set()


@pytest.mark.real_data
@pytest.mark.parametrize("name", UNKNOWN)
def test_symbols_that_yahoo_does_not_know_are_left_out(
    name: str, real_answers: Path, closed_market: RunningSimulator, client: httpx.Client
):
    """An unknown symbol gives the recorded answer itself: 200 with an empty result."""
    recorded = json.loads((real_answers / name).read_text(encoding="utf-8"))
    answer = _ask(closed_market, client, name, recorded["path"])
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


@pytest.mark.real_data
def test_every_recording_is_compared(real_answers: Path):
    """No recorded answer is left out of these tests, and no exception is of a file that is gone."""
    found = {str(file.relative_to(real_answers)) for file in real_answers.rglob("*.json")}
    assert found == {*FILES, *UNKNOWN}
    assert {file for file, _, _ in ALLOWED} <= found
