"""Validates one asset as users write it, in the assets file or on the command line."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from financehub_shared.core.catalog import Symbol
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.provider_specs import AssetProviderName
from financehub_shared.core.units import MINOR_UNITS, to_major_unit

OwnSymbol = Annotated[str, StringConstraints(pattern=r"^\S{1,60}$")]
#: Exchange suffix → currency, for a hint in the error message.
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
#: A Yahoo currency pair: `EURGBP=X` is the price of one euro in pounds.
_FOREX = re.compile(r"^[A-Z]{3}([A-Z]{3})=X$")


class AssetEntry(BaseModel):
    """An asset as a user wrote it. `asset()` returns it with defaults applied."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    type: AssetType
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    currency: str = Field("", validate_default=True)
    active: bool = True
    providers: dict[AssetProviderName, OwnSymbol] = Field(default_factory=dict)

    @field_validator("currency")
    @classmethod
    def _of_the_symbol(cls, currency: str, info: ValidationInfo) -> str:
        """Derive the currency if the symbol is a pair or a US stock, and require one for other stocks."""
        if currency in MINOR_UNITS:
            raise ValueError(f"{currency} is a minor unit; write {to_major_unit(currency)[0]} (prices are converted)")
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            raise ValueError(f"{currency!r} is not an ISO 4217 currency code (e.g. USD)")
        symbol, type = info.data.get("symbol"), info.data.get("type")
        if symbol is None or type is None:
            return currency  # that field's error is reported instead
        pair = (_CRYPTO if type is AssetType.CRYPTO else _FOREX).match(symbol)
        if pair is None and type is AssetType.CRYPTO:
            raise ValueError(
                f"a crypto symbol includes its currency: write {symbol.partition('-')[0]}-USD instead of {symbol}"
            )
        if pair is not None:
            if currency not in {"", pair[1]}:
                raise ValueError(f"{symbol} is priced in {pair[1]}, not {currency}; remove the currency")
            return pair[1]
        suffix = symbol.rpartition(".")[2] if "." in symbol else ""
        if suffix and not currency:
            hint = f" (a .{suffix} stock: {_SUFFIX_CURRENCIES[suffix]})" if suffix in _SUFFIX_CURRENCIES else ""
            raise ValueError(f"{symbol} is not traded in the US: set its currency{hint}")
        return currency or "USD"

    def asset(self) -> Asset:
        """Return the asset to store."""
        providers = {str(name): own for name, own in self.providers.items()}
        return Asset(self.symbol, self.type, self.name, self.currency, self.active, providers)


def _allowed(value: object, names: Iterable[str]) -> str:
    known = list(map(str, names))
    near = difflib.get_close_matches(str(value), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed values: {', '.join(known)}"


def _in_words(error: ErrorDetails) -> str:
    field, value = str(error["loc"][0]) if error["loc"] else "", error["input"]
    text = f"{'.'.join(map(str, error['loc']))} {value!r}: {error['msg']}"
    match error["type"], error["loc"]:
        case "missing", _:
            text = f"{field} is missing"
        case "extra_forbidden", _:
            text = f"unknown field {field!r}; {_allowed(field, AssetEntry.model_fields)}"
        case "string_pattern_mismatch", ("symbol",):
            text = f"symbol {value!r} is invalid: use capitals, digits and . - ^ = only, as in BTC-USD, AAPL or VOD.L"
        case "enum", ("type",):
            text = f"unknown type {value!r}; {_allowed(value, AssetType)}"
        case "literal_error", ("providers", name, "[key]"):
            text = f"unknown provider {name!r}; {_allowed(name, get_args(AssetProviderName))}"
        case "value_error", _:
            text = error["msg"].removeprefix("Value error, ")
    return text


def read_entry(fields: Mapping[str, Any]) -> tuple[Asset | None, list[tuple[tuple[str | int, ...], str]]]:
    """Validate one entry.

    Args:
        fields: The entry as written.

    Returns:
        (asset, []) if the entry is valid, otherwise (None, problems). Each problem is (field path, problem and fix).
    """
    try:
        return AssetEntry.model_validate(dict(fields)).asset(), []
    except ValidationError as error:
        return None, [(each["loc"], _in_words(each)) for each in error.errors(include_url=False)]
