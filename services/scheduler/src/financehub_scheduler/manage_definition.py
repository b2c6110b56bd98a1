"""`python -m financehub_scheduler.manage_definition apply|delete`: update a cluster's ScheduledTask definition.

Helm installs the files in a chart's crds/ folder once and never updates them, so the chart's hooks run this program.
A cluster has one definition for all releases. An older release leaves the definition of a newer one alone, because the
API server would drop the newer fields from every ScheduledTask that is written afterward.
"""

import argparse
import functools
from typing import Any

from financehub_scheduler import chart_hook
from financehub_scheduler.api.manifests.definition import VERSION_ANNOTATION, definition
from financehub_scheduler.chart_hook import HookRefusedError
from financehub_scheduler.kubernetes.client.api import APPLY, Api, ApiError, ApiRequest
from financehub_shared.core.version_order import version_order

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def apply(api: Api) -> str:
    """Create the definition, or update it to this version. Leave a newer definition alone.

    Args:
        api: Connection to the cluster.

    Returns:
        A sentence that tells users what was done.

    Raises:
        HookRefusedError: The definition in the cluster says that it belongs to a release whose version cannot be read.
        ApiError: The API server refused.
        ApiUnreachableError: The API server did not answer.
    """
    return await chart_hook.until_done(functools.partial(apply_definition, api, definition()))


async def apply_definition(api: Api, body: dict[str, Any]) -> str:
    """Read the definition in the cluster once, and replace it unless it belongs to a newer release.

    Args:
        api: Connection to the cluster.
        body: The definition of this release.

    Returns:
        A sentence that tells users what was done.

    Raises:
        HookRefusedError: The version of the definition in the cluster cannot be read.
        ApiError: The API server refused. The status 409 means that the definition changed after it was read.
        ApiUnreachableError: The API server did not answer.
    """
    metadata = body["metadata"]
    name, version = metadata["name"], metadata["annotations"][VERSION_ANNOTATION]
    params = {"fieldManager": chart_hook.MANAGER}
    try:
        found = await api.send(ApiRequest("GET", f"{_PATH}/{name}"))
    except ApiError as error:
        if error.status != 404:
            raise
        # If another release creates it in the meantime, this is a conflict.
        await api.send(ApiRequest("POST", _PATH, body, params=params))
        return f"{name} is created, with the fields of FinanceHub {version}"
    # A release from before this annotation is older than all releases with it.
    other = (found["metadata"].get("annotations") or {}).get(VERSION_ANNOTATION)
    if other is not None and _is_newer(other, version, name):
        return (
            f"{name} belongs to FinanceHub {other}, which is newer than this release ({version}), so it is left as it "
            "is: an older definition would remove newer fields from the ScheduledTasks of other releases"
        )
    # With this resourceVersion, the API server refuses to replace a definition that changed since it was read.
    read = {"resourceVersion": found["metadata"]["resourceVersion"]}
    await api.send(
        ApiRequest(
            "PATCH",
            f"{_PATH}/{name}",
            {**body, "metadata": {**metadata, **read}},
            content_type=APPLY,
            params={**params, "force": "true"},
        )
    )
    return f"{name} is up to date, with the fields of FinanceHub {version}"


def _is_newer(other: str, version: str, name: str) -> bool:
    """Whether the definition belongs to a newer release than this one."""
    theirs, ours = version_order(other), version_order(version)
    if ours is None:
        raise HookRefusedError(f"this release has the version {version!r}, which cannot be compared with others")
    if theirs is None:
        raise HookRefusedError(
            f"the annotation {VERSION_ANNOTATION} of {name} is {other!r}, which is not a version, so the definition "
            f"may be a newer one. If it is not, run `kubectl annotate crd {name} {VERSION_ANNOTATION}-` and repeat "
            "this command"
        )
    return theirs > ours


async def delete(api: Api) -> str:
    """Delete the definition if it exists, and with it every ScheduledTask in the cluster.

    Args:
        api: Connection to the cluster.

    Returns:
        A sentence that tells users what was done.

    Raises:
        HookRefusedError: Another release has created the definition again while this hook waited for an answer.
        ApiError: The API server refused.
        ApiUnreachableError: The API server did not answer.
    """
    name = definition()["metadata"]["name"]
    first = ""

    async def attempt() -> str:
        nonlocal first
        try:
            uid = (await api.send(ApiRequest("GET", f"{_PATH}/{name}")))["metadata"]["uid"]
            first = first or uid
            if uid != first:
                raise HookRefusedError(f"{name} was deleted and is created again, so the new one is left as it is")
            # With this uid, the API server refuses to delete a definition that was created since then.
            await api.send(ApiRequest("DELETE", f"{_PATH}/{name}", {"preconditions": {"uid": uid}}))
        except ApiError as error:
            if error.status != 404:
                raise
        return f"{name} is gone"

    return await chart_hook.until_done(attempt)


def main() -> None:
    """Run the action. The exit code is 1 if the API server refuses or does not respond, and 2 if none is configured."""
    parser = argparse.ArgumentParser(prog="python -m financehub_scheduler.manage_definition")
    parser.add_argument(
        "action", choices=["apply", "delete"], help="create or update the definition of ScheduledTasks, or delete it"
    )
    action = parser.parse_args().action
    chart_hook.run({"apply": apply, "delete": delete}[action], f"cannot {action} the definition of ScheduledTasks")


if __name__ == "__main__":
    main()
