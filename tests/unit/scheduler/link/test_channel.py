"""Tests of one end of the link."""

import socket

import pytest

from financehub_scheduler.link.channel import Channel
from financehub_scheduler.link.wire import BackfillRow, Happened, Ready, Stop, Watching

BIG = Happened([BackfillRow("uid", "started", "x" * 200_000)], (), (), ())


async def ends() -> tuple[Channel, socket.socket]:
    """Return one end as a channel, and the other one as a socket."""
    ours, theirs = socket.socketpair()
    return await Channel.open(ours), theirs


async def both() -> tuple[Channel, Channel]:
    """Return both ends."""
    channel, other = await ends()
    return channel, await Channel.open(other)


async def test_channel_delivers_messages_in_order() -> None:
    """Messages of any size arrive once and in order, in both directions."""
    one, other = await both()
    sent = [Watching(float(number), absent=False) for number in range(1_000)]
    for message in sent[:500]:
        one.send(message)
    one.send(BIG)
    for message in sent[500:]:
        one.send(message)
    other.send(Ready())
    received = [await other.receive() for _ in range(1_001)]
    assert received == [*sent[:500], BIG, *sent[500:]]
    assert await one.receive() == Ready()


async def test_channel_whose_other_end_takes_nothing_never_waits() -> None:
    """Sending to a process that hangs returns at once, and what waits is counted, so that the sender can stop."""
    channel, other = await ends()
    for _ in range(20):
        channel.send(BIG)
    assert channel.waiting_bytes > 1_000_000
    other.close()


async def test_receive_after_the_other_process_has_died_is_none() -> None:
    """What was sent before is received, and then the end is noticed. Sending does not fail."""
    channel, other = await both()
    other.send(Ready())
    other.close()
    assert await channel.receive() == Ready()
    assert await channel.receive() is None
    for _ in range(3):
        await channel.send_and_wait(Stop())


@pytest.mark.parametrize("rest", [b"\0", b"\0\0\0\x10", b"\0\0\0\x10half"])
async def test_receive_of_a_frame_that_ends_early_is_none(rest: bytes) -> None:
    """A process that is killed in the middle of a frame has ended, and the part counts for nothing."""
    channel, other = await ends()
    other.sendall(rest)
    other.close()
    assert await channel.receive() is None


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff", b"\0\0\0\x04abcd"], ids=["long", "garbage"])
async def test_receive_of_no_message_raises_value_error(frame: bytes) -> None:
    """A frame that no release sends is an error, and takes no memory."""
    channel, other = await ends()
    other.sendall(frame)
    with pytest.raises(ValueError, match="frame"):
        await channel.receive()
    other.close()
