"""The circuit breaker of one upstream, as callers use it: blocking and in coroutines, shared while Redis is there."""

import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from financehub_shared.breaker.backends import Backend
from financehub_shared.breaker.listeners import Listener, Transition
from financehub_shared.breaker.outcomes import Report, report_of_error, report_of_result
from financehub_shared.breaker.states import (
    WINDOW_CALLS_MAX,
    Admit,
    Event,
    Outcome,
    Phase,
    Policy,
    Reason,
    Record,
    Reply,
    Verdict,
)
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import BreakerOpenError, ProviderError, StoreUnavailableError

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: How long a rejection is believed without asking again, so that a breaker closed by hand, or by another process's
#: probe, lets calls pass within a second, and rejections cost at most one command a second.
BELIEVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Ticket:
    """Leave for one call: who gave it, in which epoch, whether it is the probe, when (monotonic)."""

    shared: bool
    epoch: int
    probe: bool
    at: float


@dataclass(frozen=True, slots=True)
class _Rejection:
    """The last answer of the shared breaker while it is not closed; monotonic seconds."""

    until: float
    ask_at: float
    why: str


class CircuitBreaker:
    """Stands between a process and one upstream; made by `BreakerRegistry`.

    A call that succeeds costs one Redis command: its admission, which also reports the successes before it. A failure
    is reported at once, at the cost of a second, so that the fleet stops in time. A rejection costs none, or one a
    second. Nothing is locked while a call runs.

    Args:
        upstream: its name, the same in all processes.
        policy: when it opens and for how long.
        shared: the fleet's breakers; None: there is no Redis.
        local: this process's own breakers.
        clock: measures calls and waits.
        listeners: told of each change of phase.
    """

    def __init__(
        self,
        upstream: str,
        policy: Policy,
        shared: Backend | None,
        local: Backend,
        clock: Clock,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.upstream = upstream
        self._slow_seconds = policy.slow_ms / 1000
        self._shared = shared
        self._local = local
        self._clock = clock
        self._listeners = tuple(listeners)
        self._unreported: deque[tuple[int, float]] = deque(maxlen=WINDOW_CALLS_MAX)
        self._rejection: _Rejection | None = None
        self._seen = Phase.CLOSED
        self._lock = threading.Lock()

    def call(self, send: Callable[[], T], judge: Callable[[T], ProviderError | None] | None = None) -> T:
        """Call the upstream, blocking.

        Args:
            send: does the call.
            judge: looks at what `send` returned and gives the error it stands for, None for none. The result is
                returned either way.

        Raises:
            BreakerOpenError: nothing was sent; `retry_after` says when a probe may go.
        """
        self._reject_if_known()
        ticket = self._ticket(self._tell(self._admission()))
        try:
            result = send()
            report = self._report(ticket, judge(result) if judge else None)
        except BaseException as error:
            self._finish(ticket, report_of_error(error))
            raise
        self._finish(ticket, report)
        return result

    async def acall(
        self, send: Callable[[], Awaitable[T]], judge: Callable[[T], ProviderError | None] | None = None
    ) -> T:
        """Call the upstream in a coroutine; as `call` otherwise."""
        self._reject_if_known()
        ticket = self._ticket(await self._atell(self._admission()))
        try:
            result = await send()
            report = self._report(ticket, judge(result) if judge else None)
        except BaseException as error:
            await self._afinish(ticket, report_of_error(error))
            raise
        await self._afinish(ticket, report)
        return result

    # before the call -----------------------------------------------------------------------------------
    def _reject_if_known(self) -> None:
        known, now = self._rejection, self._clock.monotonic()
        if known is not None and now < known.ask_at:
            raise self._open_error(known.why, known.until - now)

    def _admission(self) -> Admit:
        now = self._clock.monotonic()
        successes = []
        while self._unreported:
            try:
                epoch, at = self._unreported.popleft()
            except IndexError:  # another thread took the last one
                break
            successes.append((epoch, max(0, round((now - at) * 1000))))
        return Admit(tuple(successes))

    def _ticket(self, reply: Reply | None) -> _Ticket:
        """Leave to call, from the fleet's answer, or from this process alone where there is none.

        Raises:
            BreakerOpenError: rejected.
        """
        now, known, shared = self._clock.monotonic(), self._rejection, reply is not None
        if reply is None:
            if known is not None and now < known.until:
                raise self._open_error(f"{known.why} (said Redis before it went away)", known.until - now)
            reply = self._tell_local(Admit())
        if reply.verdict is Verdict.REJECTED:
            raise self._open_error(_why(reply), reply.wait_ms / 1000)
        return _Ticket(shared, reply.epoch, reply.verdict is Verdict.PROBE, now)

    def _open_error(self, why: str, wait: float) -> BreakerOpenError:
        return BreakerOpenError(self.upstream, f"not sent: {why}; a probe may go in {wait:.1f} s", wait)

    # after the call ------------------------------------------------------------------------------------
    def _report(self, ticket: _Ticket, error: ProviderError | None) -> Report:
        return report_of_result(error, self._clock.monotonic() - ticket.at, self._slow_seconds)

    def _finish(self, ticket: _Ticket, report: Report) -> None:
        record = self._record(ticket, report)
        if record is not None and ticket.shared and self._tell(record) is None:
            self._count_locally(record)

    async def _afinish(self, ticket: _Ticket, report: Report) -> None:
        record = self._record(ticket, report)
        if record is not None and ticket.shared and await self._atell(record) is None:
            self._count_locally(record)

    def _record(self, ticket: _Ticket, report: Report) -> Record | None:
        """What the fleet has to be told now; None: nothing, or it can wait for the next admission."""
        record = Record(ticket.epoch, report.outcome, math.ceil(report.retry_after * 1000), report.error)
        if not ticket.shared:
            self._tell_local(record)
            return None
        if ticket.probe or report.outcome is Outcome.FAILURE:
            return record
        if report.outcome is Outcome.SUCCESS:
            self._unreported.append((ticket.epoch, self._clock.monotonic()))
        return None

    def _count_locally(self, record: Record) -> None:
        """Redis went away during the call: what it showed counts in this process."""
        leave = self._tell_local(Admit())
        if leave.verdict is not Verdict.REJECTED:
            self._tell_local(replace(record, epoch=leave.epoch))

    # the states ----------------------------------------------------------------------------------------
    def _tell(self, event: Event) -> Reply | None:
        """The fleet's answer; None while Redis is away."""
        if self._shared is None:
            return None
        try:
            reply = self._shared.run(self.upstream, event)
        except StoreUnavailableError:  # logged where it was found
            return None
        return self._heard(reply)

    async def _atell(self, event: Event) -> Reply | None:
        """As `_tell`."""
        if self._shared is None:
            return None
        try:
            reply = await self._shared.arun(self.upstream, event)
        except StoreUnavailableError:  # logged where it was found
            return None
        return self._heard(reply)

    def _heard(self, reply: Reply) -> Reply:
        now = self._clock.monotonic()
        if reply.phase is Phase.CLOSED or reply.verdict is Verdict.PROBE:
            self._rejection = None
        else:
            wait = reply.wait_ms / 1000
            self._rejection = _Rejection(now + wait, now + min(wait, BELIEVE_SECONDS), _why(reply))
        self._notice(reply, shared=True)
        return reply

    def _tell_local(self, event: Event) -> Reply:
        reply = self._local.run(self.upstream, event)
        self._notice(reply, shared=False)
        return reply

    def _notice(self, reply: Reply, *, shared: bool) -> None:
        with self._lock:
            seen, self._seen = self._seen, reply.phase
        changes = [(seen, reply.previous, False), (reply.previous, reply.phase, True)]
        for old, new, own in changes:
            if old is new:
                continue
            transition = Transition(
                self.upstream, old, new, reply.reason, reply.error, reply.wait_ms / 1000, own=own, shared=shared
            )
            for listener in self._listeners:
                try:
                    listener(transition)
                except Exception:  # boundary: what listens must not break an upstream call
                    log.exception("breaker_listener_failed", upstream=self.upstream)


def _why(reply: Reply) -> str:
    if reply.phase is Phase.HALF_OPEN:
        return f"a probe is on its way (last failure: {reply.error or 'none'})"
    if reply.reason is Reason.FORCED:
        return "opened by hand, until `financehub breakers close`"
    return f"open ({reply.reason}; last failure: {reply.error or 'none'})"
