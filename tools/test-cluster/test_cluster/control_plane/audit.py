"""What the API server was asked, by its audit log; a request is in it before its client has the whole answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Everything, except what the API server asks of itself; no bodies.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}],
}


def read_audit(log: Path) -> Iterator[dict[str, Any]]:
    """One record (audit.k8s.io/v1 Event) for each request, in order of its first answer.

    Args:
        log: the API server's; a line that is still being written is left out.
    """
    seen: set[str] = set()
    with log.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            record = json.loads(line)
            # a watch has a record when it begins and another when it ends
            if record["auditID"] not in seen:
                seen.add(record["auditID"])
                yield record
