"""One upstream's circuit breaker, for blocking callers and coroutines. It is shared while Redis is available."""

import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from financehub_shared.breaker.backends import Backend
from financehub_shared.breaker.call_report import CallReport, report_of_error, report_of_result
from financehub_shared.breaker.listeners import BreakerListener, BreakerTransition
from financehub_shared.breaker.model import (
    Admit,
    BreakerEvent,
    BreakerReason,
    BreakerReply,
    BreakerState,
    CallOutcome,
    Decision,
    RecordOutcome,
)
from financehub_shared.breaker.policy import WINDOW_CALLS_MAX, BreakerPolicy
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import BreakerOpenError, ProviderError, StoreUnavailableError
from financehub_shared.core.log import get_logger

log = get_logger(__name__)

T = TypeVar("T")

#: How long a rejection is reused without another command. Rejections therefore cost at most one command a second, and
#: calls pass within a second after an operator or another process's probe has closed the breaker.
REJECTION_TTL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Admission:
    """The admission of one call.

    Args:
        shared: Whether the fleet's breaker admitted the call, rather than this process's.
        epoch: Epoch of the admission.
        probe: Whether the call is the probe.
        at: Time of the admission in monotonic seconds.
    """

    shared: bool
    epoch: int
    probe: bool
    at: float


@dataclass(frozen=True, slots=True)
class _Rejection:
    """The last reply of the shared breaker while it is not closed.

    Args:
        until: Time at which a probe is allowed, in monotonic seconds.
        refresh_at: Time at which this reply expires, in monotonic seconds.
        reason: Why calls are rejected, for operators.
    """

    until: float
    refresh_at: float
    reason: str


class CircuitBreaker:
    """Protects one upstream from the calls of this process. `BreakerRegistry` creates it.

    A successful call costs one Redis command: its admission, which also reports earlier successes. A failure is
    reported immediately with a second command, so that the whole fleet stops calling promptly. A rejection costs at
    most one command a second. No lock is held while a call runs.

    Args:
        upstream: Name of the upstream, the same in all processes.
        policy: Decides when the breaker opens, and for how long.
        shared: The fleet's breakers, or None if there is no Redis.
        local: This process's breakers.
        clock: Measures calls and waits.
        listeners: Notified of each transition.
    """

    def __init__(
        self,
        upstream: str,
        policy: BreakerPolicy,
        shared: Backend | None,
        local: Backend,
        clock: Clock,
        listeners: Sequence[BreakerListener] = (),
    ) -> None:
        self.upstream = upstream
        self._slow_seconds = policy.slow_ms / 1000
        self._shared = shared
        self._local = local
        self._clock = clock
        self._listeners = tuple(listeners)
        self._unreported: deque[tuple[int, float]] = deque(maxlen=WINDOW_CALLS_MAX)
        self._rejection: _Rejection | None = None
        self._last_state = BreakerState.CLOSED
        self._lock = threading.Lock()

    def call(self, send: Callable[[], T], judge: Callable[[T], ProviderError | None] | None = None) -> T:
        """Call the upstream, and block until the call ends.

        Args:
            send: Makes the call.
            judge: Returns the error that the result of `send` represents, or None if the result is good. The result is
                returned either way.

        Raises:
            BreakerOpenError: The call was not sent; `retry_after` is the time until a probe is allowed.
        """
        self._raise_known_rejection()
        admission = self._admit(self._report(self._admission_request()))
        try:
            result = send()
            report = self._judge(admission, judge(result) if judge else None)
        except BaseException as error:
            self._finish(admission, report_of_error(error))
            raise
        self._finish(admission, report)
        return result

    async def acall(
        self, send: Callable[[], Awaitable[T]], judge: Callable[[T], ProviderError | None] | None = None
    ) -> T:
        """Call the upstream in a coroutine; otherwise the same as `call`."""
        self._raise_known_rejection()
        admission = self._admit(await self._areport(self._admission_request()))
        try:
            result = await send()
            report = self._judge(admission, judge(result) if judge else None)
        except BaseException as error:
            await self._afinish(admission, report_of_error(error))
            raise
        await self._afinish(admission, report)
        return result

    # Before the call -----------------------------------------------------------------------------------
    def _raise_known_rejection(self) -> None:
        known, now = self._rejection, self._clock.monotonic()
        if known is not None and now < known.refresh_at:
            raise self._open_error(known.reason, known.until - now)

    def _admission_request(self) -> Admit:
        now = self._clock.monotonic()
        successes = []
        while self._unreported:
            try:
                epoch, at = self._unreported.popleft()
            except IndexError:  # another thread took the last one
                break
            successes.append((epoch, max(0, round((now - at) * 1000))))
        return Admit(tuple(successes))

    def _admit(self, reply: BreakerReply | None) -> _Admission:
        """Return the admission that the fleet's reply grants or, without a reply, that this process's breaker grants.

        Raises:
            BreakerOpenError: The call is rejected.
        """
        now, known, shared = self._clock.monotonic(), self._rejection, reply is not None
        if reply is None:
            if known is not None and now < known.until:
                reason = f"{known.reason} (last reply of Redis, which is unavailable)"
                raise self._open_error(reason, known.until - now)
            reply = self._report_locally(Admit())
        if reply.decision is Decision.REJECTED:
            raise self._open_error(_reason(reply), reply.wait_ms / 1000)
        return _Admission(shared, reply.epoch, reply.decision is Decision.PROBE, now)

    def _open_error(self, reason: str, wait: float) -> BreakerOpenError:
        return BreakerOpenError(self.upstream, f"not sent: {reason}; a probe is allowed in {wait:.1f} s", wait)

    # After the call ------------------------------------------------------------------------------------
    def _judge(self, admission: _Admission, error: ProviderError | None) -> CallReport:
        return report_of_result(error, self._clock.monotonic() - admission.at, self._slow_seconds)

    def _finish(self, admission: _Admission, report: CallReport) -> None:
        event = self._event_to_report(admission, report)
        if event is not None and self._report(event) is None:
            self._count_locally(event)

    async def _afinish(self, admission: _Admission, report: CallReport) -> None:
        event = self._event_to_report(admission, report)
        if event is not None and await self._areport(event) is None:
            self._count_locally(event)

    def _event_to_report(self, admission: _Admission, report: CallReport) -> RecordOutcome | None:
        """Return the event to report to the fleet now, or None if it can wait for the next admission or is local."""
        event = RecordOutcome(admission.epoch, report.outcome, math.ceil(report.retry_after * 1000), report.error)
        if not admission.shared:
            self._report_locally(event)
            return None
        if admission.probe or report.outcome is CallOutcome.FAILURE:
            return event
        if report.outcome is CallOutcome.SUCCESS:
            self._unreported.append((admission.epoch, self._clock.monotonic()))
        return None

    def _count_locally(self, event: RecordOutcome) -> None:
        """Count an outcome in this process, because Redis became unavailable during the call."""
        reply = self._report_locally(Admit())
        if reply.decision is not Decision.REJECTED:
            self._report_locally(replace(event, epoch=reply.epoch))

    # Backends ------------------------------------------------------------------------------------------
    def _report(self, event: BreakerEvent) -> BreakerReply | None:
        """Report an event to the fleet's breaker and return its reply, or None while Redis is unavailable."""
        if self._shared is None:
            return None
        try:
            reply = self._shared.run(self.upstream, event)
        except StoreUnavailableError:  # RedisScripts has logged it
            return None
        return self._on_reply(reply)

    async def _areport(self, event: BreakerEvent) -> BreakerReply | None:
        """Report an event in a coroutine; otherwise the same as `_report`."""
        if self._shared is None:
            return None
        try:
            reply = await self._shared.arun(self.upstream, event)
        except StoreUnavailableError:  # RedisScripts has logged it
            return None
        return self._on_reply(reply)

    def _on_reply(self, reply: BreakerReply) -> BreakerReply:
        now = self._clock.monotonic()
        if reply.state is BreakerState.CLOSED or reply.decision is Decision.PROBE:
            self._rejection = None
        else:
            wait = reply.wait_ms / 1000
            self._rejection = _Rejection(now + wait, now + min(wait, REJECTION_TTL_SECONDS), _reason(reply))
        self._notify(reply, shared=True)
        return reply

    def _report_locally(self, event: BreakerEvent) -> BreakerReply:
        reply = self._local.run(self.upstream, event)
        self._notify(reply, shared=False)
        return reply

    def _notify(self, reply: BreakerReply, *, shared: bool) -> None:
        with self._lock:
            last, self._last_state = self._last_state, reply.state
        # First the change that others made since the last reply, then the change that this process's event made.
        for old, new, own in ((last, reply.previous, False), (reply.previous, reply.state, True)):
            if old is new:
                continue
            transition = BreakerTransition(
                self.upstream, old, new, reply.reason, reply.error, reply.wait_ms / 1000, own=own, shared=shared
            )
            for listener in self._listeners:
                try:
                    listener(transition)
                except Exception:  # a failing listener must not break a call
                    log.exception("breaker_listener_failed", upstream=self.upstream)


def _reason(reply: BreakerReply) -> str:
    if reply.state is BreakerState.HALF_OPEN:
        return f"a probe is in progress (last failure: {reply.error or 'none'})"
    if reply.reason is BreakerReason.FORCED:
        return "opened by hand, until `financehub breakers close`"
    return f"open ({reply.reason}; last failure: {reply.error or 'none'})"
