"""Tests that a damaged element of an answer costs only itself, for every value, every answer and every damage (D9)."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from financehub_shared.core.errors import MalformedError, NotFoundError, ProviderError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quote, QuoteEvidence
from financehub_shared.market.encoding.records import decode_quote, encode_quote
from financehub_shared.market.quality.quotes import check_quote
from financehub_shared.providers.coingecko.provider import CoinGecko
from financehub_shared.providers.kraken import Kraken
from financehub_shared.providers.protocols import QuoteBatch
from financehub_shared.providers.usd import RateSource
from financehub_shared.providers.yahoo.quotes import FIELDS
from financehub_simulator.upstreams.yahoo import crumb
from support import mutations
from support.adapters import NOW, READ_QUOTES
from support.mutations import Mutation, encode
from support.simulated_answers import simulated_answer
from support.upstream import FakeUpstream


def coin(base: str, **provider_symbols: str) -> Asset:
    return Asset(f"{base}-USD", AssetType.CRYPTO, provider_symbols=provider_symbols)


def stock(symbol: str, currency: str = "USD") -> Asset:
    return Asset(symbol, AssetType.STOCK, currency=currency)


@dataclass(frozen=True)
class Answer:
    """An answer whose elements are damaged one by one.

    Args:
        upstream: The upstream.
        source: A request to the simulator, or names of recorded answers whose elements are put into one answer.
        elements: Path of each element in the answer → its asset.
        read: The fields that the adapter reads.
    """

    upstream: str
    source: str | tuple[str, ...]
    elements: Mapping[mutations.Path, Asset]
    read: str


YAHOO = ("quoteResponse", "result")
BTC_AT_YAHOO = coin("BTC", yahoo="BTC-USD")
COINGECKO = (
    "id symbol current_price total_volume price_change_24h price_change_percentage_24h low_24h high_24h last_updated"
)
ANSWERS = {
    "binance": Answer(
        "binance",
        '/binance/api/v3/ticker/24hr?symbols=["BTCUSDT","ETHUSDT","SOLUSDT"]',
        {(0,): coin("BTC"), (1,): coin("ETH"), (2,): coin("SOL")},
        "symbol lastPrice closeTime priceChangePercent volume prevClosePrice lowPrice highPrice bidPrice askPrice "
        "count",
    ),
    "kraken": Answer(
        "kraken",
        "/kraken/0/public/Ticker?pair=XBTUSD,SOLUSD,XDGUSD",
        {("result", "XXBTZUSD"): coin("BTC"), ("result", "SOLUSD"): coin("SOL"), ("result", "XDGUSD"): coin("DOGE")},
        "a b c v t l h o",
    ),
    "kraken, recorded": Answer(
        "kraken",
        ("kraken-ticker",),
        {("result", "XBTUSDT"): Asset("BTC-USDT", AssetType.CRYPTO, currency="USDT")},
        "a b c v t l h o",
    ),
    "coingecko": Answer(
        "coingecko",
        "/coingecko/api/v3/coins/markets?vs_currency=usd&ids=bitcoin,ethereum,solana",
        {(0,): coin("BTC"), (1,): coin("ETH"), (2,): coin("SOL")},
        COINGECKO,
    ),
    "coingecko, recorded": Answer(
        "coingecko", ("coingecko-markets",), {(0,): coin("BTC"), (4,): coin("SOL"), (8,): coin("AVAX")}, COINGECKO
    ),
    "finnhub": Answer("finnhub", "/finnhub/api/v1/quote?symbol=AAPL&token=key", {(): stock("AAPL")}, "c t dp pc l h"),
    "yahoo": Answer(
        "yahoo",
        f"/yahoo/v7/finance/quote?symbols=AAPL,VOD.L,BTC-USD&crumb={crumb(7)}",
        {(*YAHOO, 0): stock("AAPL"), (*YAHOO, 1): stock("VOD.L", "GBP"), (*YAHOO, 2): BTC_AT_YAHOO},
        f"symbol {FIELDS.replace(',', ' ')}",
    ),
    "yahoo, recorded": Answer(
        "yahoo",
        tuple(
            f"yahoo/quote-{name}"
            for name in ("AAPL", "ORSTED.CO", "BTC-USD", "OCDO.L", "0P000071W8.TO", "QQQ", "WSKT.JK", "SI", "EURUSD_X")
        ),
        {
            (*YAHOO, 0): stock("AAPL"),
            (*YAHOO, 1): stock("ORSTED.CO", "DKK"),
            (*YAHOO, 2): BTC_AT_YAHOO,
            (*YAHOO, 3): stock("OCDO.L", "GBP"),
            (*YAHOO, 4): stock("0P000071W8.TO", "CAD"),
            (*YAHOO, 5): stock("QQQ"),
            (*YAHOO, 6): stock("WSKT.JK", "IDR"),
            (*YAHOO, 8): stock("EURUSD=X"),
        },
        f"symbol {FIELDS.replace(',', ' ')}",
    ),
}
ALL_ANSWERS = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.real_data) if "recorded" in name else name for name in ANSWERS]
)
#: Fields that identify the elements of an answer.
IDENTITIES = ("symbol", "id")
#: Fields of a quote that may be missing. All others make the quote unusable if they are damaged.
OPTIONAL = ("upstream_at", "change_percent", "volume")


async def load(answer: Answer, recorded: Callable[[], Path]) -> Any:
    """Return the document of an answer."""
    if isinstance(answer.source, str):
        return json.loads(await simulated_answer(answer.source))
    documents = [json.loads((recorded() / f"{name}.json").read_text())["body"] for name in answer.source]
    for other in documents[1:]:
        documents[0]["quoteResponse"]["result"] += other["quoteResponse"]["result"]
    return documents[0]


@pytest.fixture
async def document(name: str, request: pytest.FixtureRequest) -> Any:
    return await load(ANSWERS[name], lambda: request.getfixturevalue("real_answers"))


def check(answer: Answer, before: Mapping[str, Quote], damaged: Asset, mutation: Mutation) -> None:
    """Read a damaged document and compare it with the undamaged one."""
    context = f"{mutation.name} at {mutation.path}"
    try:
        batch = READ_QUOTES[answer.upstream](mutation.body, list(answer.elements.values()))
    except MalformedError as error:
        # An answer without any valid JSON is refused as a whole.
        assert len(answer.elements) == 1, context
        batch = QuoteBatch(missing={damaged.symbol: error})
    assert {*batch.quotes, *batch.missing} == before.keys(), context
    for asset in answer.elements.values():
        if asset is not damaged:
            assert_equal(batch.quotes.get(asset.symbol), before[asset.symbol], context)
    if damaged.symbol in batch.missing:
        check_sentence(batch.missing[damaged.symbol], mutation, context)
        return
    if not mutation.is_number:
        check_damaged(batch.quotes[damaged.symbol], before[damaged.symbol], context)
    check_storable(damaged, batch.quotes[damaged.symbol], before[damaged.symbol].upstream_at or NOW, context)


def assert_equal(quote: Quote | None, other: Quote, context: str) -> None:
    assert quote == other, context
    assert quote.evidence == other.evidence, context


def check_storable(asset: Asset, quote: Quote, now: float, context: str) -> None:
    """Assert that a quote that passes the checks is read from the store as it was written."""
    checked = check_quote(asset, quote, None, now)
    if isinstance(checked, Quote):
        assert decode_quote(asset.symbol, encode_quote(checked).encode()) == checked, context


def check_sentence(error: ProviderError, mutation: Mutation, context: str) -> None:
    """Assert that the sentence is short and names the field, or says that the element is missing or not JSON."""
    names = [part for part in mutation.path if isinstance(part, str)]
    is_gone = isinstance(error, NotFoundError) and mutation.path[-1] in IDENTITIES
    is_named = is_gone or "not JSON" in error.detail or any(name in error.detail for name in names)
    assert is_named or mutation.is_element, f"{context}: {error.detail}"
    assert error.detail.isprintable(), context
    assert len(error.detail) < 300, context


def check_damaged(quote: Quote, before: Quote, context: str) -> None:
    """Assert that the quote is as before, lacks only optional values, or has a currency that validation refuses."""
    if quote.currency != before.currency:
        return
    for field in fields(Quote):
        value, expected = getattr(quote, field.name), getattr(before, field.name)
        if field.name not in {"note", "evidence", "quality"}:
            assert value == expected or (value is None and field.name in OPTIONAL), f"{context}: {field.name} {value}"
    for field in fields(QuoteEvidence):
        value, expected = getattr(quote.evidence, field.name), getattr(before.evidence, field.name)
        assert value in {expected, None} or field.name == "market_state", f"{context}: {field.name} {value}"


def paths_read(answer: Answer, document: Any, element: mutations.Path) -> Iterator[mutations.Path]:
    """Yield the paths of all values in an element that the adapter reads."""
    value = document
    for key in element:
        value = value[key]
    for path in mutations.paths_in(value):
        if path[0] in answer.read.split():
            yield (*element, *path)


@ALL_ANSWERS
def test_damaged_value_costs_only_its_own_quote(name: str, document: Any):
    """Each value that an adapter reads is damaged. Others are as before, and a sentence reports the loss (D9, I1)."""
    answer = ANSWERS[name]
    before = READ_QUOTES[answer.upstream](encode(document), list(answer.elements.values())).quotes
    assert before.keys() == {asset.symbol for asset in answer.elements.values()}
    element = list(answer.elements)[len(answer.elements) // 2]
    for path in paths_read(answer, document, element):
        for mutation in mutations.value_mutations(document, path):
            check(answer, before, answer.elements[element], mutation)


@ALL_ANSWERS
def test_damaged_element_costs_only_its_own_quote(name: str, document: Any):
    """Each whole element, including the first and the last, is replaced, cut, doubled, removed or extended (D9)."""
    answer = ANSWERS[name]
    before = READ_QUOTES[answer.upstream](encode(document), list(answer.elements.values())).quotes
    for element, asset in answer.elements.items():
        for mutation in mutations.element_mutations(document, element) if element else ():
            check(answer, before, asset, mutation)


RATES: Mapping[str, tuple[Callable[[FakeUpstream], RateSource], str, mutations.Path]] = {
    "kraken": (
        lambda upstream: Kraken(upstream.http, upstream.guard, "https://kraken.test", upstream.clock),
        "/kraken/0/public/Ticker?pair=USDTUSD",
        ("result", "USDTZUSD", "c"),
    ),
    "coingecko": (
        lambda upstream: CoinGecko(upstream.http, upstream.guard, "https://coingecko.test", None, upstream.clock),
        "/coingecko/api/v3/simple/price?ids=tether&vs_currencies=usd",
        ("tether", "usd"),
    ),
}


async def rate_or_error(source: RateSource, deadline: float) -> Decimal | ProviderError:
    try:
        return await source.usdt_rate(deadline)
    except ProviderError as error:
        return error


@pytest.mark.parametrize("name", RATES)
async def test_damaged_rate_is_an_error_of_its_source(name: str):
    """For any value in place of the USDT rate, the source returns a number or raises a ProviderError (D9)."""
    build, request, path = RATES[name]
    document = json.loads(await simulated_answer(request))
    body = encode(document)
    upstream = FakeUpstream(lambda _: httpx.Response(200, content=body))
    source = build(upstream)
    assert (await source.usdt_rate(upstream.deadline)).is_finite()
    for mutation in mutations.value_mutations(document, path):
        body = mutation.body
        rate = await rate_or_error(source, upstream.deadline)
        if isinstance(rate, ProviderError):
            assert rate.detail.isprintable(), mutation.name
        else:
            assert rate.is_finite(), mutation.name
            assert mutation.is_number or "key twice" in mutation.name, mutation.name
