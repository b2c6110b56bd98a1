"""Keeps one companion process running: starts it, notices that it died or hangs, and starts the next one.

Meanwhile, the engine keeps firing, with the schedules that it has. Nobody answers probes then, and the kubelet restarts
the container with the sixth failure in a row, 50 s after the first one. All times below are short enough that the next
companion answers earlier, whether its predecessor died at once, even for the tenth time in a row, or hangs.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.spawn import Child, Started
from financehub_scheduler.link.wire import Message, Ready, Stop
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: A companion that sends nothing for this time hangs. It sends something each second, and its event loop may be busy
#: for seconds on a machine without free processors.
SILENCE_SECONDS = 20.0
#: Time in which a companion becomes ready, which takes 4 s of CPU time, most of it for imports.
START_SECONDS = 26.0
#: The same for one that starts together with the engine, often while a whole fleet starts. The startup probe waits
#: 120 s for it, which leaves time for a second one.
FIRST_START_SECONDS = 80.0
#: Time to release the Lease, which takes 2 s if the API server does not answer.
STOP_SECONDS = 8.0
#: Pauses before the next companion: the first, and the longest.
PAUSE_SECONDS = (0.2, 20.0)
#: A companion that has run for this time is not part of a row of failures. One that hangs always has, so that the pause
#: after it is short.
STABLE_SECONDS = SILENCE_SECONDS
#: Interval at which a process is asked whether it has ended.
_POLL_SECONDS = 0.02
#: Time in which a companion ends by itself after it has closed its end of the link.
#: Its interpreter is destroyed meanwhile, which takes a second on a busy machine.
EXIT_SECONDS = 3.0
#: Exit code for an invalid configuration. The companion has printed the reason.
_CONFIG_ERROR = 2


class Session(Protocol):
    """What the engine process exchanges with one companion after another."""

    def begin(self, channel: Channel) -> None:
        """Begin with a new companion, which knows nothing."""

    def received(self, message: Message) -> None:
        """Process a message. It must neither block nor fail."""

    def ended(self) -> None:
        """The companion has ended, so nothing can be sent."""


class Supervisor:
    """Runs companions, one after the other.

    Args:
        start: Starts a companion.
        first: A companion that was started already; None to start the first one too.
        session: Processes what companions send.
        clock: Time.
        silence_seconds: Seconds after which a silent companion is killed.
    """

    def __init__(
        self,
        start: Callable[[], Started],
        first: Started | None,
        session: Session,
        clock: Clock,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._start = start
        self._first = first
        self._session = session
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._child: Child | None = None
        self._channel: Channel | None = None
        #: Whether the companion has said that it is ready.
        self._is_ready = False

    async def open(self) -> None:
        """Start the first companion, and return when it is ready.

        Raises:
            SystemExit: It refuses the configuration, and has printed why.
        """
        pause, longest = PAUSE_SECONDS
        while not await self._start_one(FIRST_START_SECONDS):
            if self._exit_code() == _CONFIG_ERROR:
                raise SystemExit(_CONFIG_ERROR)
            await self._pause(pause)
            pause = min(2 * pause, longest)

    async def run(self) -> None:
        """Process what the companion sends, and replace it when it ends, forever. `open` comes first.

        A companion that refuses the configuration does not end this, because an earlier one has accepted the same
        configuration. What has changed since, such as a file that is being replaced, may change back.
        """
        first, longest = PAUSE_SECONDS
        pause, started = first, self._clock.monotonic()
        while True:
            # A companion that has ended may have sent something before.
            await self._receive_all()
            await self._end()
            if self._clock.monotonic() - started >= STABLE_SECONDS:
                pause = first
            await self._pause(pause)
            pause, started = min(2 * pause, longest), self._clock.monotonic()
            if await self._start_one(START_SECONDS):
                log.info("companion_restarted")

    async def stop(self) -> None:
        """Let the companion end by itself, and kill it if it does not. One that is not ready yet holds no Lease."""
        if self._channel is not None and self._is_ready and self._exit_code() is None:
            self._channel.send(Stop())
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._wait()
            except TimeoutError:
                log.warning("companion_killed", reason=f"it has not ended within {STOP_SECONDS:.0f} s")
        await self._end()

    def _exit_code(self) -> int | None:
        return self._child.poll() if self._child else None

    async def _wait(self) -> None:
        while self._child is not None and self._exit_code() is None:
            await self._clock.sleep(_POLL_SECONDS)

    async def _pause(self, seconds: float) -> None:
        consequence = "schedules keep running; status, Events and metrics follow later"
        log.warning("companion_ended", exit_code=self._exit_code(), retry_in=seconds, consequence=consequence)
        await self._clock.sleep(seconds)

    async def _start_one(self, seconds: float) -> bool:
        """Start a companion, and return whether it is ready within some seconds."""
        self._child, self._is_ready = None, False
        try:
            started, self._first = self._first or self._start(), None
        except OSError as error:
            # The machine has no memory, or the container has too many processes or descriptors, for now.
            log.warning("companion_not_started", error=str(error))
            return False
        # Before anything that can be canceled, so that `stop` knows the process.
        self._child = started.child
        self._channel = await Channel.open(started.link)
        message = await self._receive(seconds)
        if isinstance(message, Ready):
            self._is_ready = True
            self._session.begin(self._channel)
            return True
        await self._end()
        return False

    async def _receive_all(self) -> None:
        while message := await self._receive(self._silence_seconds):
            self._session.received(message)
            # Without it, a thousand messages that have arrived together would be processed in one go.
            await asyncio.sleep(0)

    async def _receive(self, seconds: float) -> Message | None:
        """Return the next message, or None if there will be no other one."""
        if self._channel is None:
            return None
        receiving = asyncio.ensure_future(self._channel.receive())
        try:
            # Twice, because this process may have been stopped itself, and the message has arrived meanwhile.
            for _ in range(2):
                await asyncio.wait([receiving], timeout=seconds / 2)
                if receiving.done():
                    return receiving.result()
            log.warning("companion_stalled", seconds=seconds, consequence="it is killed and started again")
        except ValueError as error:
            log.exception("companion_message_refused", exc_info=error)
        finally:
            receiving.cancel()
        return None

    async def _end(self) -> None:
        """Kill the companion if it runs, and wait until it is gone, so that there are never two."""
        self._session.ended()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._child is not None and self._child.poll() is None:
            # One that has closed its end is about to end with its own exit code.
            try:
                async with asyncio.timeout(EXIT_SECONDS):
                    await self._wait()
            except TimeoutError:
                self._child.kill()
                await self._wait()
