"""Stores in the freshness hash when each provider last delivered each dataset."""

from financehub_shared.market.repository import RedisRepository, translate_errors
from financehub_shared.redis import keys

#: Separates dataset and provider in a field of the freshness hash; neither may contain it.
_SEPARATOR = "|"


class FreshnessRepository(RedisRepository):
    """Reads and writes each provider's last success."""

    @translate_errors
    def mark_success(self, dataset: str, provider: str, at: float) -> None:
        self._redis.hset(keys.FRESHNESS, f"{dataset}{_SEPARATOR}{provider}", repr(at))

    @translate_errors
    def last_success(self) -> dict[tuple[str, str], float]:
        marks = {}
        for name, at in self._redis.hgetall(keys.FRESHNESS).items():
            dataset, _, provider = name.decode().partition(_SEPARATOR)
            marks[dataset, provider] = float(at)
        return marks
