"""Stores rejected data in the quarantine, a capped Redis stream."""

from collections.abc import Iterable
from dataclasses import asdict

from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.models import PAYLOAD_LIMIT, Quarantined
from financehub_shared.market.protocols import QUARANTINE_LIMIT
from financehub_shared.market.repository import BATCH, RedisRepository, translate_errors
from financehub_shared.redis import keys


class QuarantineRepository(RedisRepository):
    """Reads and writes rejected data and the reasons for its rejection."""

    @translate_errors
    def put_quarantined(self, records: Iterable[Quarantined]) -> None:
        for batch in chunks(records, BATCH):
            pipe = self._redis.pipeline(transaction=False)
            for record in batch:
                entry = asdict(record) | {"payload": record.payload[:PAYLOAD_LIMIT]}
                del entry["first_at"], entry["count"]
                pipe.xadd(keys.QUARANTINE, entry, maxlen=QUARANTINE_LIMIT, approximate=True)
            pipe.execute()

    @translate_errors
    def quarantined(self, *, limit: int = 100) -> list[Quarantined]:
        found = []
        for entry_id, fields in self._redis.xrevrange(keys.QUARANTINE, count=limit):
            texts = {name.decode(): value.decode() for name, value in fields.items()}
            try:
                found.append(Quarantined(**(texts | {"at": float(texts["at"])})))
            except (KeyError, TypeError, ValueError) as error:
                raise CorruptDataError(
                    f"{keys.QUARANTINE} {entry_id.decode()}",
                    f"is not a quarantine entry ({error})",
                    f"`redis-cli XDEL {keys.QUARANTINE} {entry_id.decode()}` removes it",
                ) from error
        return found
