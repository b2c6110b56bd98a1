"""Entry point of the scheduler process: `financehub-scheduler --schedules deploy/local/schedules`."""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from financehub_scheduler.app import serve
from financehub_scheduler.link.origin import ClusterOrigin
from financehub_scheduler.link.spawn import Started, fork
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings, exit_on_config_error, load_settings
from financehub_shared.redis.startup import refuse_wrong_servers

#: Seconds for which another thread may delay the event loop. A scrape of many series takes 50 ms. With the
#: interpreter's default of 5 ms, each step of the loop would wait that long during a scrape.
_SWITCH_SECONDS = 0.0005


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="financehub-scheduler",
        description="Runs ScheduledTasks. Any number of schedulers can run at the same time. Together they settle each "
        "due time exactly once, with at most one message.",
    )
    parser.add_argument("--broker", metavar="URL", help="the queue Redis (default: DRAMATIQ_BROKER_URL or REDIS_URL)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--schedules", metavar="DIR", type=Path, help="folder of ScheduledTask YAML files, watched for changes"
    )
    source.add_argument(
        "--kubernetes",
        action="store_true",
        help="ScheduledTask resources of a cluster: the one this process runs in, or that of KUBECONFIG",
    )
    parser.add_argument(
        "--namespace",
        metavar="NS",
        action="append",
        default=[],
        help="with --kubernetes: watch only this namespace; can be repeated (default: all)",
    )
    parser.add_argument(
        "--lease",
        metavar="NAME",
        help=f"with --kubernetes: Lease whose holder writes status (default: {ClusterOrigin().lease})",
    )
    parser.add_argument(
        "--assets", metavar="FILE", help="YAML file of declared assets, which the scheduler writes into the store"
    )
    arguments = parser.parse_args()
    if (arguments.namespace or arguments.lease) and not arguments.kubernetes:
        parser.error("--namespace and --lease require --kubernetes")
    return arguments


def main() -> None:
    """Run the scheduler. If a setting or flag is invalid, the process prints one line and exits with code 2."""
    arguments = _arguments()
    try:
        flags = {"DRAMATIQ_BROKER_URL": arguments.broker, "FINANCEHUB_ASSETS_FILE": arguments.assets}
        # Flags take precedence over environment variables and are validated in the same way. A companion process
        # inherits them.
        os.environ.update({name: value for name, value in flags.items() if value is not None})
        settings = load_settings(os.environ)
        refuse_wrong_servers((settings.broker_url, settings.store_url))
        if arguments.kubernetes:
            cluster = ClusterOrigin(tuple(arguments.namespace), arguments.lease or ClusterOrigin().lease)
            # Collecting garbage would copy the memory that the two processes share.
            gc.collect()
            gc.freeze()
            # Before anything starts a thread.
            companion = fork(partial(_be_companion, settings, cluster))
            _run(settings, cluster, companion)
        else:
            _run(settings, arguments.schedules, None)
    except ConfigError as error:
        exit_on_config_error(error)


def _run(settings: Settings, origin: Path | ClusterOrigin, companion: Started | None) -> None:
    sys.setswitchinterval(_SWITCH_SECONDS)
    asyncio.run(serve(settings, origin, (signal.SIGTERM, signal.SIGINT), companion))


def _be_companion(settings: Settings, cluster: ClusterOrigin, link: socket.socket, engine: int) -> None:
    # Imported here, because only a companion needs kopf, which takes a second and 25 MB.
    from financehub_scheduler.companion import run

    run(settings, cluster, link, engine)


if __name__ == "__main__":
    main()
