"""Names stored records in messages, and says how each kind of record is repaired.

A task replaces a quote, an indicator record and a freshness mark as a whole, so its next run repairs one. Nothing
replaces the other records by itself, except that the scheduler writes the assets of the assets file again.
"""

import shlex
from dataclasses import dataclass

from financehub_shared.core.errors import CorruptDataError, NewerRecordError
from financehub_shared.redis import keys


@dataclass(frozen=True, slots=True)
class RecordName:
    """The name of one stored record.

    Args:
        text: The Redis key; for a hash field, the key, a space and the field.
        repair: How the record is repaired if it is damaged.
        removal: How it is removed, if that differs from `repair`.
    """

    text: str
    repair: str
    removal: str = ""

    def corrupt(self, problem: str) -> CorruptDataError:
        """Return the error that the record is damaged."""
        return CorruptDataError(self.text, problem, self.repair)

    def newer(self, problem: str) -> NewerRecordError:
        """Return the error that only a newer release can read the record."""
        return NewerRecordError(self.text, problem, self.removal or self.repair)


def asset_record(symbol: str) -> RecordName:
    """Name the record of an asset."""
    quoted = shlex.quote(symbol)
    return RecordName(
        f"{keys.ASSETS} {symbol}",
        "if the assets file declares it, the scheduler writes it again within seconds; otherwise, add it again with "
        f"`financehub assets add {quoted} --type crypto` (or stock)",
        f"`financehub assets remove {quoted}` removes it",
    )


def quote_record(symbol: str) -> RecordName:
    """Name the record of a quote."""
    return RecordName(
        f"{keys.QUOTES} {symbol}",
        f"the next run of the price task replaces it; {_removal(keys.QUOTES, symbol)} it now",
    )


def bars_record(symbol: str) -> RecordName:
    """Name the blob of an asset's bars."""
    key = keys.bars(symbol)
    return RecordName(key, f"{_removal(key)} it, and the next run of calculate_indicators_task fetches the bars again")


def indicator_record(symbol: str) -> RecordName:
    """Name the record of an asset's newest indicator values."""
    return RecordName(
        f"{keys.INDICATORS} {symbol}",
        f"the next run of calculate_indicators_task replaces it; {_removal(keys.INDICATORS, symbol)} it now",
    )


def series_record(symbol: str) -> RecordName:
    """Name the blob of an asset's indicator series."""
    key = keys.indicator_series(symbol)
    return RecordName(key, f"the next run of calculate_indicators_task replaces it; {_removal(key)} it now")


def news_record(id: str) -> RecordName:
    """Name the record of a news item."""
    return RecordName(
        f"{keys.NEWS} {id}", f"the cleanup removes it after its retention; {_removal(keys.NEWS, id)} it now"
    )


def freshness_record(field: str) -> RecordName:
    """Name the mark of a provider's last success."""
    return RecordName(
        f"{keys.FRESHNESS} {field}", f"the next success replaces it; {_removal(keys.FRESHNESS, field)} it now"
    )


def _removal(key: str, field: str = "") -> str:
    command = f"HDEL {shlex.quote(key)} {shlex.quote(field)}" if field else f"UNLINK {shlex.quote(key)}"
    return f"`redis-cli {command}` removes"
