"""Validates one asset as users write it, in the assets file or on the command line."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from financehub_shared.core.kinds import KINDS, AssetKind, AssetType, derive_kind
from financehub_shared.core.models import Asset
from financehub_shared.core.provider_specs import AssetProviderName
from financehub_shared.core.symbols.currencies import CURRENCIES
from financehub_shared.core.symbols.exchanges import EXCHANGE_NAMES
from financehub_shared.core.units import MINOR_UNITS, to_major_unit
from financehub_shared.market.entry_problems import describe_problem
from financehub_shared.market.symbol_spelling import check_spelling

#: A provider's own symbol. Providers request lists of symbols, in which a comma separates them.
OWN_SYMBOL_PATTERN = r"^[^\s,]{1,60}$"
OwnSymbol = Annotated[str, StringConstraints(pattern=OWN_SYMBOL_PATTERN)]
ALIAS_LENGTH = (2, 60)
#: The name of an exchange as headlines write it before a ticker: NASDAQ, NYSE, LSE.
EXCHANGE_PATTERN = r"^[A-Z][A-Z0-9]{1,14}$"
#: Kind whose symbols have their own form → description of such an asset in messages.
_FORMS = {AssetKind.INDEX: "an index", AssetKind.FX: "a currency pair", AssetKind.FUTURE: "a future"}
_FORM_EXAMPLES = {AssetKind.INDEX: "^GSPC", AssetKind.FX: "EURUSD=X", AssetKind.FUTURE: "GC=F or ESZ26.CME"}


class AssetEntry(BaseModel):
    """An asset as a user wrote it. `asset()` returns it with defaults applied."""

    model_config = ConfigDict(extra="forbid")

    # A validator sees only the fields above its own, so the symbol comes after the type and the kind.
    type: AssetType
    kind: AssetKind | None = None
    symbol: str
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    currency: str = Field("", validate_default=True)
    active: bool = True
    providers: dict[AssetProviderName, OwnSymbol] = Field(default_factory=dict)
    aliases: list[str] = Field(default_factory=list)
    exchanges: list[str] = Field(default_factory=list)

    @field_validator("kind")
    @classmethod
    def _of_the_type(cls, kind: AssetKind | None, info: ValidationInfo) -> AssetKind | None:
        type = info.data.get("type")
        if kind is not None and type is not None and kind.type is not type:
            raise ValueError(f"an asset of the kind {kind} has the type {kind.type}, not {type}; correct one of them")
        return kind

    @field_validator("symbol")
    @classmethod
    def _canonical(cls, symbol: str, info: ValidationInfo) -> str:
        """Require the canonical spelling, and propose it for a symbol in another notation."""
        type, kind = info.data.get("type"), info.data.get("kind")
        check_spelling(symbol, type, kind)
        if type is not None and kind is not None:
            _check_form(symbol, type, kind)
        return symbol

    @field_validator("currency")
    @classmethod
    def _of_the_symbol(cls, currency: str, info: ValidationInfo) -> str:
        """Derive the currency by the rule of the asset's kind, and require one if the rule does not know it."""
        if currency in MINOR_UNITS:
            raise ValueError(f"{currency} is a minor unit; write {to_major_unit(currency)[0]} (prices are converted)")
        if currency and currency not in CURRENCIES:
            raise ValueError(f"{currency!r} is not an ISO 4217 currency code (e.g. USD){_like_currency(currency)}")
        symbol, type = info.data.get("symbol"), info.data.get("type")
        if symbol is None or type is None:
            return currency  # that field's error is reported instead
        kind = info.data.get("kind") or derive_kind(symbol, type)
        derived = KINDS[kind].currency(symbol)
        if not KINDS[kind].fixed_currency:
            currency = currency or derived or ""
        elif derived and currency not in {"", derived}:
            raise ValueError(f"{symbol} is priced in {derived}, not {currency}; remove the currency")
        else:
            currency = derived or ""
        if not currency:
            raise ValueError(_unknown_currency(symbol, kind))
        return currency

    @field_validator("aliases")
    @classmethod
    def _distinct_aliases(cls, aliases: list[str]) -> list[str]:
        aliases = [" ".join(alias.split()) for alias in aliases]
        low, high = ALIAS_LENGTH
        for alias in aliases:
            if not low <= len(alias) <= high:
                raise ValueError(f"alias {alias!r}: write a name of {low} to {high} characters")
        _refuse_repeated("alias", [alias.casefold() for alias in aliases], aliases)
        return aliases

    @field_validator("exchanges")
    @classmethod
    def _named_exchanges(cls, exchanges: list[str]) -> list[str]:
        exchanges = [exchange.strip().upper() for exchange in exchanges]
        for exchange in exchanges:
            near = difflib.get_close_matches(exchange, sorted(EXCHANGE_NAMES), n=1, cutoff=0.8)
            if exchange not in EXCHANGE_NAMES and near:
                raise ValueError(f"unknown exchange {exchange!r}; did you mean {near[0]!r}?")
            if not re.fullmatch(EXCHANGE_PATTERN, exchange):
                raise ValueError(f"exchange {exchange!r}: write its short name, such as NASDAQ, NYSE or LSE")
        _refuse_repeated("exchange", exchanges, exchanges)
        return exchanges

    def asset(self) -> Asset:
        """Return the asset to store."""
        return Asset(
            self.symbol,
            self.type,
            self.name,
            self.currency,
            self.active,
            {str(name): own for name, own in self.providers.items()},
            stated_kind=self.kind,
            aliases=tuple(self.aliases),
            exchanges=tuple(self.exchanges),
        )


def _check_form(symbol: str, type: AssetType, kind: AssetKind) -> None:
    """Raise an error if the form of a symbol shows a kind other than the stated one.

    Raises:
        ValueError: The kinds differ.
    """
    shown = derive_kind(symbol, type)
    if kind is not shown and shown in _FORMS:
        raise ValueError(f"{symbol} is {_FORMS[shown]}, not of the kind {kind}; remove the kind")
    is_local_index = kind is AssetKind.INDEX and "." in symbol  # such as TA90.TA, which has no caret
    if kind is not shown and kind in _FORM_EXAMPLES and not is_local_index:
        raise ValueError(f"{symbol} is not the symbol of {_FORMS[kind]}, which is written like {_FORM_EXAMPLES[kind]}")


def _unknown_currency(symbol: str, kind: AssetKind) -> str:
    if kind is AssetKind.COIN:
        return f"{symbol} is not the symbol of a coin, which is written with its currency, like BTC-USD"
    if kind is AssetKind.FX:
        return f"{symbol} is not a currency pair; write two different ISO 4217 currency codes and =X, as in EURUSD=X"
    if "." in symbol:
        suffix = symbol.rpartition(".")[2]
        return f"the exchange suffix .{suffix} of {symbol} is unknown; correct it, or set the currency of the prices"
    if kind in {AssetKind.EQUITY, AssetKind.FUND}:
        return f"{symbol} is not a US ticker; add the suffix of its exchange, as in VOD.L, or set its currency"
    return f"the currency of {symbol} is unknown; set the currency in which it is quoted, such as EUR"


def _like_currency(currency: str) -> str:
    """Return a hint if the same letters, in another case or order, are the code of a currency."""
    near = [code for code in sorted(CURRENCIES) if sorted(code) == sorted(currency.upper())]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _refuse_repeated(field: str, keys: Sequence[str], values: Sequence[str]) -> None:
    """Raise an error if a list contains a value twice.

    Args:
        field: What a value is, such as `alias`, for the message.
        keys: What must be distinct, one for each value.
        values: The values as written.
    """
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise ValueError(f"{field} {values[position]!r} is written twice; remove one")


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
        return None, [
            (each["loc"], describe_problem(each, AssetEntry.model_fields)) for each in error.errors(include_url=False)
        ]
