"""Names stored records in messages, and says how each kind of record is repaired.

A task replaces a whole quote, indicator record or freshness mark, so its next run repairs a damaged one. The scheduler
rewrites the assets of the assets file. Other records are not replaced automatically.
"""

import shlex
from dataclasses import dataclass, replace

from financehub_shared.core.errors import CorruptDataError, NewerRecordError
from financehub_shared.redis import keys


@dataclass(frozen=True, slots=True)
class RecordName:
    """The name of one stored record.

    Args:
        key: The Redis key.
        field: The hash field. None if the record is the whole key.
        repair: How a damaged record is repaired, in which `{field}` is the quoted field and `{remove}` the command that
            removes the record.
        removal: How the record is removed if it is intact but was written by a newer release.
    """

    key: str
    field: str | None
    repair: str
    removal: str = "{remove}"

    def corrupt(self, problem: str) -> CorruptDataError:
        """Return the error for a damaged record."""
        return CorruptDataError(str(self), problem, self._advice(self.repair))

    def newer(self, problem: str) -> NewerRecordError:
        """Return the error for a record that only a newer release can read."""
        return NewerRecordError(str(self), problem, self._advice(self.removal))

    def whole(self) -> "RecordName":
        """Return the name of the key that contains this record and all others of its kind."""
        return replace(self, field=None)

    def __str__(self) -> str:
        return self.key if self.field is None else f"{self.key} {self.field}"

    def _advice(self, template: str) -> str:
        key, name = shlex.quote(self.key), self.key if self.field is None else self.field
        command, names = ("UNLINK", "--scan") if self.field is None else (f"HDEL {key}", f"HKEYS {key}")
        if name.isprintable() and "\N{REPLACEMENT CHARACTER}" not in name:
            name = shlex.quote(name)
            remove = f"`redis-cli {command} {name}` removes it"
        else:
            # an interactive redis-cli accepts escapes for bytes that cannot be written in a shell
            name = "NAME"
            remove = (
                f"`{command} NAME` in an interactive redis-cli, with NAME from `redis-cli --no-raw {names}`, removes it"
            )
        return template.format(field=name, remove=remove)


_ASSET_REMOVAL = "`financehub assets remove {field}` removes it"
_ASSET_REPAIR = (
    "if the assets file declares it, the scheduler writes it again within seconds; otherwise, add it again with "
    "`financehub assets add {field} --type crypto` (or stock)"
)
_BARS_REPAIR = "{remove}, and the next run of calculate_indicators_task fetches the bars again"
_INDICATOR_REPAIR = "the next run of calculate_indicators_task replaces it; {remove} now"


def asset_record(symbol: str) -> RecordName:
    """Name the record of an asset."""
    return RecordName(keys.ASSETS, symbol, _ASSET_REPAIR, _ASSET_REMOVAL)


#: The key of all assets.
ASSETS_KEY = RecordName(
    keys.ASSETS,
    None,
    "the scheduler writes the assets of the assets file again within seconds, and `financehub assets add` replaces it",
)


def quote_record(symbol: str) -> RecordName:
    """Name the record of a quote."""
    return RecordName(keys.QUOTES, symbol, "the next run of the price task replaces it; {remove} now")


def bars_record(symbol: str) -> RecordName:
    """Name the blob of an asset's bars."""
    return RecordName(keys.bars(symbol), None, _BARS_REPAIR, _BARS_REPAIR)


def history_key(key: str) -> RecordName:
    """Name a key with the prices of an asset on one day."""
    return RecordName(key, None, "its other prices are served, and it expires; {remove} now")


def history_record(symbol: str, day: int) -> RecordName:
    """Name the prices of an asset on one day."""
    return history_key(keys.history(symbol, day))


def indicator_record(symbol: str) -> RecordName:
    """Name the record of an asset's newest indicator values."""
    return RecordName(keys.INDICATORS, symbol, _INDICATOR_REPAIR)


def series_record(symbol: str) -> RecordName:
    """Name the blob of an asset's indicator series."""
    return RecordName(keys.indicator_series(symbol), None, _INDICATOR_REPAIR)


def news_record(id: str) -> RecordName:
    """Name the record of a news item."""
    return RecordName(keys.NEWS, id, "the cleanup removes it after its retention; {remove} now")


def freshness_record(field: str) -> RecordName:
    """Name the mark of a provider's last success."""
    return RecordName(keys.FRESHNESS, field, "the next success replaces it; {remove} now")


def quarantine_record(kind: str, field: str) -> RecordName:
    """Name the quarantine record of one kind, symbol, provider and class of reason."""
    return RecordName(keys.quarantine(kind), field, "the next rejection replaces it; {remove} now")


def quarantine_index_record(key: str) -> RecordName:
    """Name an index of the quarantine records."""
    return RecordName(key, None, "the next rejection replaces it; {remove} now")


#: The key of all news items.
NEWS_KEY = RecordName(keys.NEWS, None, "the next run of the news task replaces it")


def news_index_record(key: str) -> RecordName:
    """Name the index of the news items about one asset."""
    return RecordName(key, None, "{remove}, and later news items are in the index again")


def news_story_record(bucket: int, story: str | None) -> RecordName:
    """Name the record of a story that deduplication knows, or with None all of them in one bucket of time."""
    return RecordName(keys.news_stories(bucket), story, "{remove}, and a copy of the story is stored at most once more")


def full_read_record(symbol: str) -> RecordName:
    """Name the record of the last full read of an asset's bars."""
    return RecordName(keys.FULL_READS, symbol, "the next run of calculate_indicators_task replaces it; {remove} now")
