"""One asset as people write it, in the assets file or on the command line: what is allowed, and how to mend it."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from financehub_shared.core.catalog import Symbol
from financehub_shared.core.models import Asset, AssetType
from financehub_shared.core.units import MINOR_UNITS, major

ProviderName = Literal["binance", "coingecko", "finnhub", "kraken", "yahoo"]
OwnSymbol = Annotated[str, StringConstraints(pattern=r"^\S{1,60}$")]
#: Currencies by the exchange's suffix, for the hint; any other is asked for without one.
_SUFFIX_CURRENCIES = {
    "L": "GBP",
    "DE": "EUR",
    "PA": "EUR",
    "AS": "EUR",
    "MI": "EUR",
    "SW": "CHF",
    "ST": "SEK",
    "CO": "DKK",
    "TO": "CAD",
    "JO": "ZAR",
    "T": "JPY",
    "HK": "HKD",
    "AX": "AUD",
}
_CRYPTO = re.compile(r"^[A-Z0-9]+-([A-Z]{3})$")
#: A currency at Yahoo: `EURGBP=X` is what a euro costs in pounds.
_FOREX = re.compile(r"^[A-Z]{3}([A-Z]{3})=X$")


class AssetEntry(BaseModel):
    """An asset as written; `asset()` gives it with its defaults filled in."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    type: AssetType
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    currency: str = Field("", validate_default=True)
    active: bool = True
    providers: dict[ProviderName, OwnSymbol] = Field(default_factory=dict)

    @field_validator("currency")
    @classmethod
    def _of_the_symbol(cls, currency: str, info: ValidationInfo) -> str:
        """Take a pair's own currency, USD for a US stock, and ask where neither tells."""
        if currency in MINOR_UNITS:
            raise ValueError(f"{currency} is a minor unit; write {major(currency)[0]}, prices are converted to it")
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            raise ValueError(f"{currency!r} is no ISO 4217 code such as USD")
        symbol, type = info.data.get("symbol"), info.data.get("type")
        if symbol is None or type is None:
            return currency  # their own problem is reported
        pair = (_CRYPTO if type is AssetType.CRYPTO else _FOREX).match(symbol)
        if pair is None and type is AssetType.CRYPTO:
            raise ValueError(f"a crypto symbol names its currency: write {symbol.partition('-')[0]}-USD, not {symbol}")
        if pair is not None:
            if currency not in {"", pair[1]}:
                raise ValueError(f"{symbol} is priced in {pair[1]}, not {currency}; leave the currency out")
            return pair[1]
        suffix = symbol.rpartition(".")[2] if "." in symbol else ""
        if suffix and not currency:
            hint = f" (a .{suffix} stock: {_SUFFIX_CURRENCIES[suffix]})" if suffix in _SUFFIX_CURRENCIES else ""
            raise ValueError(f"{symbol} is not traded in the US: say its currency{hint}")
        return currency or "USD"

    def asset(self) -> Asset:
        """The record to be stored."""
        providers = {str(name): own for name, own in self.providers.items()}
        return Asset(self.symbol, self.type, self.name, self.currency, self.active, providers)


def _allowed(value: object, names: Iterable[str]) -> str:
    known = list(map(str, names))
    near = difflib.get_close_matches(str(value), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed are: {', '.join(known)}"


def _in_words(error: ErrorDetails) -> str:
    field, value = str(error["loc"][0]) if error["loc"] else "", error["input"]
    text = f"{'.'.join(map(str, error['loc']))} {value!r}: {error['msg']}"
    match error["type"], error["loc"]:
        case "missing", _:
            text = f"{field} is missing"
        case "extra_forbidden", _:
            text = f"unknown field {field!r}; {_allowed(field, AssetEntry.model_fields)}"
        case "string_pattern_mismatch", ("symbol",):
            text = f"symbol {value!r} is not canonical: capitals, digits and . - ^ = only, such as BTC-USD, AAPL, VOD.L"
        case "enum", ("type",):
            text = f"unknown type {value!r}; {_allowed(value, AssetType)}"
        case "literal_error", ("providers", name, "[key]"):
            text = f"unknown provider {name!r}; {_allowed(name, get_args(ProviderName))}"
        case "value_error", _:
            text = error["msg"].removeprefix("Value error, ")
    return text


def read_entry(fields: Mapping[str, Any]) -> tuple[Asset | None, list[tuple[tuple[str | int, ...], str]]]:
    """Check one entry.

    Args:
        fields: as written.

    Returns:
        The asset, or None and (path of the field, problem and how to mend it) for everything that is wrong.
    """
    try:
        return AssetEntry.model_validate(dict(fields)).asset(), []
    except ValidationError as error:
        return None, [(each["loc"], _in_words(each)) for each in error.errors(include_url=False)]
