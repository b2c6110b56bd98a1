"""`python -m financehub_scheduler.create_password SECRET KEY`: create the password of the embedded Redis once.

A hook of the chart runs this program before an install or upgrade. A rendering cannot contain the password: tools that
render without a cluster, such as Argo CD, would replace it at each synchronization.
"""

import argparse
import base64
import functools
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from financehub_scheduler import chart_hook
from financehub_scheduler.kubernetes.client.api import MERGE, Api, ApiError, ApiRequest

_LENGTH = 32
#: Argo CD may find the release's resources by their labels. These annotations keep it from deleting the Secret, which
#: is not in the rendering, and from reporting it as a difference.
_KEPT_BY_ARGO_CD = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
}


@dataclass(frozen=True, slots=True)
class PasswordSecret:
    """The Secret that has to exist.

    Args:
        name: Its name, in the namespace of the release.
        key: The key of the password.
        labels: Labels of a new Secret.
        annotations: Annotations of a new Secret, beside those for Argo CD.
    """

    name: str
    key: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


async def create(secret: PasswordSecret, api: Api) -> str:
    """Create the Secret with a random password, or add the key to a Secret without it. Never change a password.

    An existing Secret, such as that of the chart 0.1.0, also gets those annotations for Argo CD that it does not have.

    Args:
        secret: The Secret.
        api: Connection to the cluster.

    Returns:
        A sentence that tells users what was done, without the password.

    Raises:
        ApiError: The API server refused.
        ApiUnreachableError: The API server did not answer.
    """
    return await chart_hook.until_done(functools.partial(_create, secret, api))


async def _create(secret: PasswordSecret, api: Api) -> str:
    path = f"/api/v1/namespaces/{api.namespace}/secrets"
    params = {"fieldManager": chart_hook.MANAGER}
    try:
        found = await api.send(ApiRequest("GET", f"{path}/{secret.name}"))
    except ApiError as error:
        if error.status != 404:
            raise
        metadata = {
            "name": secret.name,
            "labels": dict(secret.labels),
            "annotations": {**_KEPT_BY_ARGO_CD, **secret.annotations},
        }
        created = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {secret.key: _password()}}
        # If another hook creates it in the meantime, this is a conflict.
        await api.send(ApiRequest("POST", path, created, params=params))
        return f"Secret {secret.name} is created, with a new password under the key {secret.key}"
    metadata = found["metadata"]
    missing = {name: each for name, each in _KEPT_BY_ARGO_CD.items() if name not in (metadata.get("annotations") or {})}
    # With this resourceVersion, the API server refuses the change if another hook has made one since.
    body: dict[str, Any] = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": missing}}
    # With an empty value as its password, Redis would accept everyone.
    has_password = bool((found.get("data") or {}).get(secret.key))
    if has_password and not missing:
        return f"Secret {secret.name} has a password under the key {secret.key}; it is left as it is"
    if not has_password:
        body["data"] = {secret.key: _password()}
    await api.send(ApiRequest("PATCH", f"{path}/{secret.name}", body, content_type=MERGE, params=params))
    if has_password:
        return (
            f"Secret {secret.name} has a password under the key {secret.key}; the password is left as it is, and the "
            "Secret gets the annotations that keep Argo CD from deleting it"
        )
    return f"Secret {secret.name} had no key {secret.key}; a new password is added under it"


def _password() -> str:
    """Return a new password, encoded for the data of a Secret. Its characters need no quotes anywhere."""
    characters = string.ascii_letters + string.digits
    password = "".join(secrets.choice(characters) for _ in range(_LENGTH))
    return base64.b64encode(password.encode()).decode()


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} has no '='; write NAME=VALUE")
    return name, value


def main() -> None:
    """Create the password. The exit code is 1 if the API server refuses or does not respond, and 2 if none is known."""
    parser = argparse.ArgumentParser(prog="python -m financehub_scheduler.create_password")
    parser.add_argument("secret", help="name of the Secret")
    parser.add_argument("key", help="key of the password in the Secret")
    for option in ("label", "annotation"):
        description = f"{option} of a new Secret; repeat it for more"
        parser.add_argument(
            f"--{option}", action="append", default=[], type=_pair, metavar="NAME=VALUE", help=description
        )
    given = parser.parse_args()
    secret = PasswordSecret(given.secret, given.key, dict(given.label), dict(given.annotation))
    chart_hook.run(functools.partial(create, secret), f"cannot create the password in Secret {secret.name}")


if __name__ == "__main__":
    main()
