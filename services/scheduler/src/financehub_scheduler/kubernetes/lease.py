"""Elects a leader among the schedulers: the holder of a Lease, under client-go's rules, writes status.

No other machine's clock is trusted. A holder counts as gone if its Lease has not changed for the Lease's duration,
measured by our own monotonic clock. The holder stops by itself well before others may consider it gone.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog

from financehub_scheduler.kubernetes.client.api import Api, ApiError, ApiRequest, ApiUnreachableError
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Another scheduler takes over if the Lease has not changed for this time.
DURATION_SECONDS = 30
#: The leader stops this long after it began its last renewal. Its last requests then time out before another scheduler
#: may take over.
HOLD_SECONDS = 20.0
RENEW_SECONDS = 10.0
#: Interval at which the other schedulers check the Lease, and the delay before a failed renewal is retried.
POLL_SECONDS = 2.0
_FORBIDDEN_SECONDS = 60.0
_RELEASE_SECONDS = 2.0


class Lease:
    """One candidate of the leader election.

    Args:
        api: Connection to the cluster. The Lease is in its namespace.
        clock: Time.
        identity: Unique name of this process.
        name: Name of the Lease, shared by the schedulers that read the same schedules.
    """

    def __init__(self, api: Api, clock: Clock, identity: str, name: str) -> None:
        self._api = api
        self._clock = clock
        self._identity = identity
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
        #: The Lease's spec when it was last read, and the monotonic time since which it has not changed.
        self._spec: Mapping[str, Any] = {}
        self._spec_since = -math.inf
        self._leader_until = -math.inf
        self._next_step = -math.inf
        self._problem = ""
        #: Number of times that this process has become the leader.
        self.term = 0

    @property
    def is_leader(self) -> bool:
        """Whether this process is the leader now."""
        return self._clock.monotonic() < self._leader_until

    async def step(self) -> None:
        """Renew the Lease, or take it if it is free. Do nothing before the next attempt is planned."""
        began = self._clock.monotonic()
        if began < self._next_step:
            return
        self._next_step = began + POLL_SECONDS
        try:
            if await self._acquire():
                self._become_leader(began)
        except ApiError as error:
            # A conflict means that another scheduler was faster.
            if error.status != HTTPStatus.CONFLICT:
                self._report(error)
            if error.status == HTTPStatus.FORBIDDEN:
                self._next_step = began + _FORBIDDEN_SECONDS
        except ApiUnreachableError as error:
            self._report(error)
        else:
            self._problem = ""

    async def release(self) -> None:
        """Release the Lease, so that another scheduler takes it within seconds. Do not call `step` afterward."""
        self._leader_until = -math.inf
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                lease = await self._read()
                if _spec(lease).get("holderIdentity") == self._identity:
                    await self._put(lease, {**_spec(lease), "holderIdentity": ""})
                    log.info("lease_released")
        except (ApiError, ApiUnreachableError, TimeoutError) as error:
            # The Lease expires anyway.
            log.info("lease_release_failed", error=str(error))

    async def _acquire(self) -> bool:
        """Write our identity to the Lease unless another scheduler holds it. Return whether it was written."""
        ours = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": (now := _micro_time(self._clock.now())),
        }
        try:
            lease = await self._read()
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            body = {"metadata": {"name": self._name}, "spec": {**ours, "acquireTime": now, "leaseTransitions": 0}}
            await self._api.send(ApiRequest("POST", self._path, body))
            return True
        spec = _spec(lease)
        if spec != self._spec:
            self._spec, self._spec_since = spec, self._clock.monotonic()
        if (holder := spec.get("holderIdentity")) != self._identity:
            self._leader_until = -math.inf
            expires = self._spec_since + spec.get("leaseDurationSeconds", DURATION_SECONDS)
            if holder and self._clock.monotonic() < expires:
                return False
            ours |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + 1}
        await self._put(lease, {**spec, **ours})
        return True

    async def _read(self) -> Mapping[str, Any]:
        lease: Mapping[str, Any] = await self._api.send(ApiRequest("GET", f"{self._path}/{self._name}"))
        return lease

    async def _put(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        # The body contains the resourceVersion that was read, so only one of several concurrent writes succeeds.
        await self._api.send(ApiRequest("PUT", f"{self._path}/{self._name}", {**lease, "spec": spec}))

    def _become_leader(self, began: float) -> None:
        if not self.is_leader:
            self.term += 1
            log.info("lease_acquired", identity=self._identity)
        self._leader_until, self._next_step = began + HOLD_SECONDS, began + RENEW_SECONDS

    def _report(self, error: ApiError | ApiUnreachableError) -> None:
        kind = str(error.status) if isinstance(error, ApiError) else type(error).__name__
        if kind == self._problem:
            return
        self._problem = kind
        remedy = "; apply deploy/operator/rbac.yaml: leases need get, create and update" if kind == "403" else ""
        consequence = "status is not written; schedules keep running"
        log.warning("lease_acquisition_failed", error=f"{error}{remedy}", consequence=consequence)


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = lease.get("spec") or {}
    return spec


def _micro_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
