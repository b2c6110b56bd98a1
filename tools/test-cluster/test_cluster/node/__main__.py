"""`python -m test_cluster.node up`, `down`, or `in COMMAND …` inside its network."""

import os
import sys

from test_cluster.node import network
from test_cluster.node.layout import Layout
from test_cluster.node.node import NodeError, down, up
from test_cluster.node.processes import StartError

_USAGE = "usage: python -m test_cluster.node up | down | in COMMAND …"


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
                os.execvpe("nsenter", network.inside(command), environment)  # noqa: S606 — no shell is needed
            case _:
                return _USAGE
    except (NodeError, StartError, FileNotFoundError) as error:
        return f"node: {error}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
