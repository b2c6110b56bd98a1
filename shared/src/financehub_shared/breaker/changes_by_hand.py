"""The last change of a breaker by an operator: who changed it, how, when and why. The breaker's hash has it."""

from collections.abc import Mapping
from dataclasses import dataclass

from financehub_shared.core.text import one_line, storable
from financehub_shared.redis.scripts import REDIS_NOW
from financehub_shared.redis.text import read_time

#: Largest number of characters of a reason and of the name of a user. More are truncated.
REASON_CHARACTERS, USER_CHARACTERS = 200, 200
ACTIONS = ("open", "close", "reset")
_ACTION, _USER, _REASON, _AT = "hand_action", "hand_by", "hand_reason", "hand_at"
#: Stores a change. KEYS: the breaker. ARGV: the action, the user, the reason.
RECORD_CHANGE = (
    REDIS_NOW
    + f"""
redis.call('HSET', KEYS[1], '{_ACTION}', ARGV[1], '{_USER}', ARGV[2], '{_REASON}', ARGV[3],
           '{_AT}', string.format('%.0f', now))
"""
)


@dataclass(frozen=True, slots=True)
class ChangeByHand:
    """A change of a breaker by an operator.

    Args:
        action: `open`, `close` or `reset`.
        by: Who did it: the name of a user, or `command line`.
        reason: Why; empty if no reason was given.
        at: Time in Unix seconds by the clock of Redis; 0 for a change that is still to be recorded.
    """

    action: str
    by: str
    reason: str = ""
    at: float = 0.0

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> "ChangeByHand | None":
        """Return the change in a breaker's hash, or None if there is none or it is damaged."""
        action, at = fields.get(_ACTION, ""), read_time(fields.get(_AT), unit=1_000)
        if action not in ACTIONS or at is None or at < 0:
            return None
        return cls(action, fields.get(_USER, ""), fields.get(_REASON, ""), at)

    def arguments(self) -> list[str]:
        """Return the arguments of `RECORD_CHANGE`. The texts are on one line and short."""
        return [
            self.action,
            storable(one_line(self.by)[:USER_CHARACTERS]),
            storable(one_line(self.reason)[:REASON_CHARACTERS]),
        ]
