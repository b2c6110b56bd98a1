"""The scheduler's composition root: `financehub-scheduler --schedules deploy/local/schedules`."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from financehub_scheduler.app import ClusterOrigin, serve
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import exit_on_config_error, load_settings

#: Seconds for which another thread may keep the event loop from running: a scrape of many series takes 50 ms, and at
#: the interpreter's 5 ms each of the loop's steps meanwhile would wait that long.
_SWITCH_SECONDS = 0.0005


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="financehub-scheduler",
        description="Turns ScheduledTasks into exactly-once enqueues; run as many as you like.",
    )
    parser.add_argument(
        "--broker", metavar="URL", help="Redis of the queues (default: DRAMATIQ_BROKER_URL, REDIS_URL, …)"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--schedules", metavar="DIR", type=Path, help="folder of ScheduledTask YAML, watched")
    source.add_argument(
        "--kubernetes", action="store_true", help="ScheduledTask resources of the cluster we are in or KUBECONFIG names"
    )
    parser.add_argument(
        "--namespace",
        metavar="NS",
        action="append",
        default=[],
        help="with --kubernetes: only this namespace; may be repeated (default: all)",
    )
    parser.add_argument(
        "--lease",
        metavar="NAME",
        help=f"with --kubernetes: of whoever writes status (default: {ClusterOrigin().lease})",
    )
    parser.add_argument("--assets", metavar="FILE", help="declared assets (YAML), reconciled into the store")
    arguments = parser.parse_args()
    if (arguments.namespace or arguments.lease) and not arguments.kubernetes:
        parser.error("--namespace and --lease go with --kubernetes")
    return arguments


def main() -> None:
    """Entry point: wrong settings and flags end with one line and exit code 2."""
    arguments = _arguments()
    try:
        flags = {"DRAMATIQ_BROKER_URL": arguments.broker, "FINANCEHUB_ASSETS_FILE": arguments.assets}
        # flags win, and are checked as the variables are
        settings = load_settings({**os.environ, **{name: value for name, value in flags.items() if value is not None}})
        cluster = ClusterOrigin(tuple(arguments.namespace), arguments.lease or ClusterOrigin().lease)
        origin = cluster if arguments.kubernetes else arguments.schedules
        sys.setswitchinterval(_SWITCH_SECONDS)
        asyncio.run(serve(settings, origin, (signal.SIGTERM, signal.SIGINT)))
    except ConfigError as error:
        exit_on_config_error(error)


if __name__ == "__main__":
    main()
