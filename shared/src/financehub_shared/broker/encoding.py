"""Refuses what a process could enqueue although no worker of FinanceHub would read it."""

from typing import Any

from dramatiq import JSONEncoder, Message, get_encoder

from financehub_shared.core.errors import ConfigError, InvalidArgumentsError

#: Each message of a pipeline contains the next one, which takes two of the levels that `door.MAX_DEPTH` allows.
LONGEST_PIPELINE = 90


def require_json_encoder() -> None:
    """Check the encoder that `dramatiq.set_encoder` set.

    Schedulers, workers and the command line exchange messages as plain JSON. Other encoders would write messages that
    workers refuse, or be ignored when a message is read. A worker that used `PickleEncoder` would also run any code
    that a client writes into Redis. The encoder of a result backend is independent of this one.

    Raises:
        ConfigError: It is not dramatiq's JSONEncoder.
    """
    encoder = get_encoder()
    if type(encoder) is not JSONEncoder:
        raise ConfigError(
            f"dramatiq.set_encoder: {type(encoder).__name__} is not supported, because FinanceHub's messages are plain "
            "JSON; remove the call, and convert arguments to JSON in the task"
        )


def require_short_pipeline(message: "Message[Any]") -> None:
    """Check the length of the pipeline that a message begins.

    Raises:
        InvalidArgumentsError: A worker would refuse the message, because it is nested too deeply.
    """
    length, target = 1, message.options.get("pipe_target")
    while target is not None and length <= LONGEST_PIPELINE:
        length, target = length + 1, target["options"].get("pipe_target")
    if length > LONGEST_PIPELINE:
        problem = f"a pipeline may have {LONGEST_PIPELINE} messages; split it, or enqueue the rest in its last task"
        raise InvalidArgumentsError(message.actor_name, "pipe_target", problem)
