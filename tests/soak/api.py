"""A client of the API server, because kubectl, a process for each request, would take a part of the small machine."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from soak.patience import Patience

#: Parallel requests. The API server and etcd share the writes of such a number to their disk.
_CREATORS = 32
_PAGE = 500
#: A page of ScheduledTasks took longer than 20 s on a machine whose load was 40.
_TIMEOUT_SECONDS = 60.0
#: Seconds within which a page or a creation must succeed, with its repetitions.
_PAGE_SECONDS, _CREATE_SECONDS = 120.0, 180.0
COMPONENT = "app.kubernetes.io/component"


def administrator(kubeconfig: Path) -> httpx.Client:
    """Return a client of the API server with all rights.

    Args:
        kubeconfig: A kubeconfig in JSON, as the node of the tests writes it.
    """
    content = json.loads(kubeconfig.read_text(encoding="utf-8"))
    server, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    tls = ssl.create_default_context(cafile=server["certificate-authority"])
    tls.load_cert_chain(user["client-certificate"], user["client-key"])
    # The connections of all creators stay open, because a handshake costs more than a request.
    limits = httpx.Limits(max_connections=2 * _CREATORS, max_keepalive_connections=2 * _CREATORS)
    return httpx.Client(base_url=server["server"], verify=tls, trust_env=False, timeout=_TIMEOUT_SECONDS, limits=limits)


class Api:
    """The API server of the node.

    Args:
        client: Its client.
        patience: How it repeats what a busy server has not answered.
    """

    def __init__(self, client: httpx.Client, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience or Patience(poll_seconds=1.0)

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the JSON of a resource or a list.

        Args:
            path: Its path.
            parameters: Query parameters.

        Raises:
            httpx.HTTPError: The API server does not answer, or refuses the request.
        """
        return self._client.get(path, params=parameters).raise_for_status().json()

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a long list, which is read in pages. A page is read again after an error."""
        token = ""
        while True:
            parameters: dict[str, str | int] = {"limit": _PAGE, **({"continue": token} if token else {})}
            page = self._patience.read(partial(self.get, path, **parameters), _PAGE_SECONDS)
            yield from page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        """Return the pods of a namespace, also those that are being deleted."""
        return list(self.get(f"/api/v1/namespaces/{namespace}/pods")["items"])

    def create(
        self, path: str, bodies: Sequence[Mapping[str, Any]], progress: Callable[[int], None] = lambda _: None
    ) -> list[dict[str, Any]]:
        """Create many resources over parallel connections, and return them as stored. Errors of a busy server may pass.

        Args:
            path: Path of their list.
            bodies: The resources.
            progress: Gets the number of those that exist from time to time.
        """

        def post(body: Mapping[str, Any]) -> dict[str, Any]:
            return self._patience.read(partial(self._created, path, body), _CREATE_SECONDS)

        stored = []
        executor = ThreadPoolExecutor(_CREATORS)
        try:
            for resource in executor.map(post, bodies):
                stored.append(resource)
                if len(stored) % 1_000 == 0:
                    progress(len(stored))
        finally:
            # After an error or Ctrl-C, the others are not created any more.
            executor.shutdown(cancel_futures=True)
        return stored

    def _created(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body)
        if answer.status_code == HTTPStatus.CONFLICT:
            # An earlier request, whose answer was lost, has created it.
            answer = self._client.get(f"{path}/{body['metadata']['name']}")
        return dict(answer.raise_for_status().json())


def component_of(pod: Mapping[str, Any]) -> str:
    """Return the component of a pod, or an empty string."""
    return str(pod["metadata"].get("labels", {}).get(COMPONENT, ""))


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready and not being deleted."""
    conditions = pod["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
