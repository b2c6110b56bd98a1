"""Who of several schedulers writes status: the holder of a Lease, by the rules of client-go's leader election.

Nobody's clock is believed: a holder is taken for gone when its Lease has not changed for its duration, on our own
monotonic clock; and we stop by ourselves well before others may think so of us.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.kubernetes.client.api import Api, ApiError, ApiUnreachableError
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Others wait this long for a sign of the holder.
DURATION_SECONDS = 30
#: The holder stops this long after it began its last renewal. What it asked for until then has come to its end, at the
#: latest by the timeout of requests, when others may begin.
HOLD_SECONDS = 20.0
RENEW_SECONDS = 10.0
#: How often the others look, and whoever failed tries again.
LOOK_SECONDS = 2.0
_FORBIDDEN_SECONDS = 60.0
_RELEASE_SECONDS = 2.0


class Lease:
    """One candidate.

    Args:
        api: connection to the cluster; the Lease is in its namespace.
        clock: time.
        identity: of this process, unlike any other's.
        name: of the Lease; schedulers that read the same schedules share it.
    """

    def __init__(self, api: Api, clock: Clock, identity: str, name: str) -> None:
        self._api = api
        self._clock = clock
        self._identity = identity
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
        #: What the Lease last said, and since when; monotonic seconds.
        self._spec: Mapping[str, Any] = {}
        self._since = -math.inf
        self._until = -math.inf
        self._next = -math.inf
        self._problem = ""
        #: How often this process began to hold it.
        self.term = 0

    @property
    def holds(self) -> bool:
        """Whether this process is the one, at this moment."""
        return self._clock.monotonic() < self._until

    async def step(self) -> None:
        """Renew it, or see whether it is free; does nothing while nothing is due."""
        began = self._clock.monotonic()
        if began < self._next:
            return
        self._next = began + LOOK_SECONDS
        try:
            if await self._claim():
                self._take(began)
        except ApiError as error:
            # in a conflict another one was quicker
            if error.status != HTTPStatus.CONFLICT:
                self._complain(error)
            if error.status == HTTPStatus.FORBIDDEN:
                self._next = began + _FORBIDDEN_SECONDS
        except ApiUnreachableError as error:
            self._complain(error)
        else:
            self._problem = ""

    async def release(self) -> None:
        """Give it back, so that another one takes it within seconds; no `step` may follow."""
        self._until = -math.inf
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                lease = await self._api.request("GET", f"{self._path}/{self._name}")
                if _spec(lease).get("holderIdentity") == self._identity:
                    await self._put(lease, {**_spec(lease), "holderIdentity": ""})
                    log.info("lease_released")
        except (ApiError, ApiUnreachableError, TimeoutError) as error:
            # it lapses by itself
            log.info("lease_not_released", error=str(error))

    async def _claim(self) -> bool:
        """Write our name, if no other one's holds."""
        fresh = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": (now := _micro_time(self._clock.now())),
        }
        try:
            lease = await self._api.request("GET", f"{self._path}/{self._name}")
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            body = {"metadata": {"name": self._name}, "spec": {**fresh, "acquireTime": now, "leaseTransitions": 0}}
            await self._api.request("POST", self._path, body=body)
            return True
        spec = _spec(lease)
        if spec != self._spec:
            self._spec, self._since = spec, self._clock.monotonic()
        if (holder := spec.get("holderIdentity")) != self._identity:
            self._until = -math.inf
            lapses = self._since + spec.get("leaseDurationSeconds", DURATION_SECONDS)
            if holder and self._clock.monotonic() < lapses:
                return False
            fresh |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + 1}
        await self._put(lease, {**spec, **fresh})
        return True

    async def _put(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        # with the resourceVersion that we read: of several at once, one succeeds
        await self._api.request("PUT", f"{self._path}/{self._name}", body={**lease, "spec": spec})

    def _take(self, began: float) -> None:
        if not self.holds:
            self.term += 1
            log.info("lease_acquired", identity=self._identity)
        self._until, self._next = began + HOLD_SECONDS, began + RENEW_SECONDS

    def _complain(self, error: ApiError | ApiUnreachableError) -> None:
        kind = str(error.status) if isinstance(error, ApiError) else type(error).__name__
        if kind == self._problem:
            return
        self._problem = kind
        mend = "; apply deploy/operator/rbac.yaml: leases need get, create and update" if kind == "403" else ""
        log.warning("lease_not_claimed", error=f"{error}{mend}", consequence="status waits; schedules go on")


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = lease.get("spec") or {}
    return spec


def _micro_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
