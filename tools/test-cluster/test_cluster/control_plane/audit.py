"""Reads the API server's audit log, which contains a request before the client has received the whole response."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Logs all requests without their bodies, except the API server's requests to itself.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}],
}


def read_audit(log: Path) -> Iterator[dict[str, Any]]:
    """Yield one record (audit.k8s.io/v1 Event) for each request, in the order of the first responses.

    Args:
        log: The API server's audit log. A line that is still being written is omitted.
    """
    ids: set[str] = set()
    with log.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            record = json.loads(line)
            # A watch has one record when it begins and another one when it ends.
            if record["auditID"] not in ids:
                ids.add(record["auditID"])
                yield record
