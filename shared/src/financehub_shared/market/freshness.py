"""Stores in the freshness hash when each provider last delivered each dataset."""

from financehub_shared.market.encoding.fields import MAX_SECONDS
from financehub_shared.market.encoding.record_names import freshness_record
from financehub_shared.market.key_types import reads, writes
from financehub_shared.market.repository import RedisRepository, translate_errors
from financehub_shared.redis import keys
from financehub_shared.redis.text import decode

#: Separates dataset and provider in a field of the freshness hash; neither may contain it.
_SEPARATOR = "|"


_TYPES = {freshness_record("").whole(): b"hash"}


class FreshnessRepository(RedisRepository):
    """Reads and writes each provider's last success."""

    @translate_errors
    @writes(_TYPES)
    def mark_success(self, dataset: str, provider: str, at: float) -> None:
        self._redis.hset(keys.FRESHNESS, f"{dataset}{_SEPARATOR}{provider}", repr(at))

    @translate_errors
    @reads(_TYPES, dict)
    def last_success(self) -> dict[tuple[str, str], float]:
        stored = {decode(field): raw for field, raw in self._redis.hgetall(keys.FRESHNESS).items()}
        marks = {}
        for field, at in self._decode_each(stored, _decode_time, freshness_record).items():
            dataset, _, provider = field.partition(_SEPARATOR)
            marks[dataset, provider] = at
        return marks


def _decode_time(field: str, raw: bytes) -> float:
    """Decode a mark.

    Raises:
        CorruptDataError: The field is not a dataset and a provider, or the value is not a time.
    """
    try:
        at = float(raw)
    except ValueError as error:
        raise freshness_record(field).corrupt("is not a time") from error
    if _SEPARATOR not in field or not abs(at) < MAX_SECONDS:
        raise freshness_record(field).corrupt("is not a time of a dataset and a provider")
    return at
