"""The members in Redis: the live schedulers that share the due runs."""

from collections.abc import Collection

from redis.asyncio import Redis

from financehub_scheduler.redis.lua_scripts import load_script
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types

#: Seconds between two refreshes of a membership.
REFRESH_SECONDS = 1.0
#: Seconds after which a membership that is not refreshed ends, on the clock of Redis. Two refreshes may be late.
LIFETIME_SECONDS = 3.0
#: Maximum number of members that are read. More schedulers than this gain nothing, and another program must not make
#: each decision expensive by adding members.
MAX_MEMBERS = 50


class Members:
    """Refreshes the membership of one scheduler, and reads all members.

    Args:
        client: The queue Redis.
        id: Id of the scheduler. It differs after a restart.
    """

    def __init__(self, client: "Redis", id: str) -> None:
        self._client = client
        self._refresh = client.register_script(load_script("members"))
        self.id = id

    async def refresh(self, *, is_member: bool) -> Collection[bytes]:
        """Begin or refresh the membership, or end it, and return the ids of all members.

        Args:
            is_member: Whether this scheduler is a member from now on.

        Raises:
            redis.RedisError: Redis did not reply or returned an error. A membership that is not refreshed ends itself.
        """
        args: list[str | int] = [self.id, int(is_member), round(LIFETIME_SECONDS * 1000), MAX_MEMBERS]
        members: Collection[bytes] = await arepaired(self._client, schedule_types, lambda: self._refresh(args=args))
        return members
