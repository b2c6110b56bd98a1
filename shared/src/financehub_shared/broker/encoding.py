"""Refuses encoders of dramatiq that FinanceHub cannot use."""

from dramatiq import JSONEncoder, get_encoder

from financehub_shared.core.errors import ConfigError


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
