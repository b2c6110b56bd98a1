"""`python -m financehub_scheduler.manage_definition apply|delete`: update a cluster's ScheduledTask definition.

Helm installs the files in a chart's crds/ folder once and never updates them, so the chart's hooks run this program.
"""

import argparse
import asyncio
import sys

from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.kubernetes.client.api import APPLY, ApiError, ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error
from financehub_shared.core.text import printable

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MANAGER = "financehub"


async def apply(api: KubeApi) -> str:
    """Create the definition, or update it to this version, even if another client created it.

    Returns:
        A sentence that tells users what was done.

    Raises:
        ApiError: The API server refused.
        ApiUnreachableError: The API server did not answer.
    """
    body = definition()
    name = body["metadata"]["name"]
    params = {"fieldManager": _MANAGER, "force": "true"}
    await api.send(ApiRequest("PATCH", f"{_PATH}/{name}", body, content_type=APPLY, params=params))
    return f"{name} is up to date"


async def delete(api: KubeApi) -> str:
    """Delete the definition if it exists, and with it every ScheduledTask in the cluster.

    Returns:
        A sentence that tells users what was done.

    Raises:
        ApiError: The API server refused.
        ApiUnreachableError: The API server did not answer.
    """
    name = definition()["metadata"]["name"]
    try:
        await api.send(ApiRequest("DELETE", f"{_PATH}/{name}"))
    except ApiError as error:
        if error.status != 404:
            raise
    return f"{name} is gone"


async def _run(action: str) -> str:
    api = KubeApi(await Connection.load())
    try:
        return await {"apply": apply, "delete": delete}[action](api)
    finally:
        await api.aclose()


def main() -> None:
    """Run the action. The exit code is 1 if the API server refuses or does not respond, and 2 if none is configured."""
    parser = argparse.ArgumentParser(prog="python -m financehub_scheduler.manage_definition")
    parser.add_argument(
        "action", choices=["apply", "delete"], help="create or update the definition of ScheduledTasks, or delete it"
    )
    action = parser.parse_args().action
    try:
        sys.stdout.write(f"{asyncio.run(_run(action))}\n")
    except ConfigError as error:
        exit_on_config_error(error)
    except (ApiError, ApiUnreachableError) as error:
        sys.exit(printable(f"cannot {action} the definition of ScheduledTasks: {error}"))


if __name__ == "__main__":
    main()
