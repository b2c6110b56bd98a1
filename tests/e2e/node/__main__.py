"""`python -m e2e.node up`, `down`, or `in COMMAND …` inside its network."""

import os
import sys

from e2e.node import network
from e2e.node.layout import Layout
from e2e.node.node import NodeError, down, up
from e2e.node.processes import StartError

_USAGE = "usage: python -m e2e.node up | down | in COMMAND …"


def _main(arguments: list[str]) -> str | None:
    layout = Layout()
    try:
        match arguments:
            case ["up"]:
                up(layout)
            case ["down"]:
                down(layout)
            case ["in", *command] if command:
                environment = {**os.environ, "KUBECONFIG": str(layout.kubeconfig)}
                os.execvpe("nsenter", network.inside(command), environment)  # noqa: S606 — there is no shell in it
            case _:
                return _USAGE
    except (NodeError, StartError, FileNotFoundError) as error:
        return f"node: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
