"""Reads run records by their message ids."""

from collections.abc import Iterable

import redis

from financehub_shared.core.exception_text import exception_message
from financehub_shared.core.left_out import note_left_out
from financehub_shared.core.log import get_logger
from financehub_shared.monitor.run_records import RunRecord
from financehub_shared.redis import keys
from financehub_shared.redis.replies import is_wrong_type, raise_other_errors
from financehub_shared.redis.text import decode_hash

log = get_logger(__name__)


def read_runs(client: "redis.Redis", message_ids: Iterable[str]) -> list[RunRecord]:
    """Return the runs with these message ids, in the same order, in one round trip.

    Runs that are unknown or whose record has expired are left out. A damaged record is left out and logged.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        message_ids: The ids.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    wanted = list(message_ids)
    pipeline = client.pipeline(transaction=False)
    for message_id in wanted:
        pipeline.hgetall(keys.run(message_id))
    rows = pipeline.execute(raise_on_error=False)
    raise_other_errors(rows)
    found = []
    for message_id, raw in zip(wanted, rows, strict=True):
        try:
            if not is_wrong_type(raw) and b"state" in raw:
                found.append(RunRecord.from_fields(message_id, decode_hash(raw)))
        except ValueError as error:
            problem = exception_message(error)
            note_left_out(f"{keys.run(message_id)}: {problem}")
            log.warning("run_record_read_failed", key=keys.run(message_id), error=problem)
    return found
