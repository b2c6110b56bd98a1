"""Tests that the simulator's responses contain every field of recorded real responses, with the same JSON type."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from financehub_simulator.upstreams.yahoo import crumb
from support.json_shape import json_shape
from support.simulator import RunningSimulator

#: A Sunday, because the New York quotes were recorded while the market was closed.
SUNDAY = 1_739_703_289.0
#: Part of a recorded request → its replacement for the simulator, with the reason.
REPLACEMENTS = {
    "symbol=…&interval=1w": (
        "symbol=BTCUSDT&interval=1d",
        "the documentation names no symbol; the simulator serves daily klines only",
    ),
    "interval=60": ("interval=1440", "the simulator serves daily candles only"),
}
#: Allowed differences (file, path, JSON type), with the reason.
EXCEPTIONS = {
    (
        "kraken-ohlc.json",
        "/result/last",
        "string",
    ): "the recorder quotes numbers after a colon, while Kraken sends a number",
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
UNKNOWN_SYMBOL_FILES = ["yahoo/quote-SIX.json", "yahoo/quote-APS.AX.json"]


@pytest.fixture(scope="module")
def closed_market() -> Iterator[RunningSimulator]:
    """A simulator on a Sunday, when New York is closed."""
    with RunningSimulator(now=lambda: SUNDAY, always_open=False) as running:
        yield running


def _replay(simulator: RunningSimulator, client: httpx.Client, name: str, path: str) -> httpx.Response:
    """Send the recorded request of the file `name` to the simulator."""
    upstream = name.split("/", 1)[0] if "/" in name else name.split("-", 1)[0]
    for recorded, (replacement, _reason) in REPLACEMENTS.items():
        path = path.replace(recorded, replacement)
    separator = "&" if "?" in path else "?"
    suffix = f"{separator}crumb={crumb(7)}" if "/v7/" in path else ""
    return client.get(f"{simulator.url(upstream)}{path}{suffix}")


@pytest.mark.real_data
@pytest.mark.parametrize("name", FILES)
def test_response_contains_every_recorded_field(
    name: str, real_answers: Path, closed_market: RunningSimulator, client: httpx.Client
):
    """Every field path of the recording exists with its JSON type, apart from the listed exceptions."""
    recorded = json.loads((real_answers / name).read_text(encoding="utf-8"))
    response = _replay(closed_market, client, name, recorded["path"])
    assert response.status_code == recorded["status"]
    exceptions = {(path, kind) for file, path, kind in EXCEPTIONS if file == name}
    assert json_shape(recorded["body"]) - json_shape(response.json()) - exceptions == set()


@pytest.mark.real_data
@pytest.mark.parametrize("name", UNKNOWN_SYMBOL_FILES)
def test_response_to_an_unknown_symbol_equals_the_recording(
    name: str, real_answers: Path, closed_market: RunningSimulator, client: httpx.Client
):
    """An unknown symbol yields exactly the recorded response: status 200 with an empty result."""
    recorded = json.loads((real_answers / name).read_text(encoding="utf-8"))
    response = _replay(closed_market, client, name, recorded["path"])
    assert (response.status_code, response.json()) == (recorded["status"], recorded["body"])


@pytest.mark.real_data
def test_recordings_are_exactly_the_compared_files(real_answers: Path):
    """Every recording is compared, and every exception applies to an existing recording."""
    recordings = {str(file.relative_to(real_answers)) for file in real_answers.rglob("*.json")}
    assert recordings == {*FILES, *UNKNOWN_SYMBOL_FILES}
    assert {file for file, _, _ in EXCEPTIONS} <= recordings
