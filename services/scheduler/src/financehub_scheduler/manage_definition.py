"""`python -m financehub_scheduler.manage_definition apply|delete`: update the ScheduledTask definition of a cluster.

Helm installs what lies in a chart's crds/ and never looks at it again: the chart's hooks run this.
"""

import argparse
import asyncio
import sys

from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.kubernetes.client.api import APPLY, ApiError, ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MANAGER = "financehub"


async def apply(api: KubeApi) -> str:
    """Create the definition, or change it into this version's, whoever made it.

    Returns:
        What was done, for people.

    Raises:
        ApiError: the API server refused.
        ApiUnreachableError: it did not answer.
    """
    wanted = definition()
    name = wanted["metadata"]["name"]
    params = {"fieldManager": _MANAGER, "force": "true"}
    await api.send(ApiRequest("PATCH", f"{_PATH}/{name}", wanted, content_type=APPLY, params=params))
    return f"{name} is up to date"


async def delete(api: KubeApi) -> str:
    """Delete the definition, and with it every ScheduledTask of the cluster; nothing where there is none.

    Returns:
        What was done, for people.

    Raises:
        ApiError: the API server refused.
        ApiUnreachableError: it did not answer.
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
    """Entry point: exit code 1 and one line if the API server refuses or does not answer, 2 if none is configured."""
    parser = argparse.ArgumentParser(prog="python -m financehub_scheduler.manage_definition")
    parser.add_argument("action", choices=["apply", "delete"], help="what becomes of the definition of ScheduledTasks")
    action = parser.parse_args().action
    try:
        sys.stdout.write(f"{asyncio.run(_run(action))}\n")
    except ConfigError as error:
        exit_on_config_error(error)
    except (ApiError, ApiUnreachableError) as error:
        sys.exit(f"cannot {action} the definition of ScheduledTasks: {error}")


if __name__ == "__main__":
    main()
