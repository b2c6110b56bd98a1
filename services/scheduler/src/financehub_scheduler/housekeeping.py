"""What the scheduler does for the fleet beside scheduling: the janitor's rounds and the declared assets."""

from pathlib import Path

import redis
import structlog

from financehub_shared.broker.janitor import Janitor
from financehub_shared.errors import StoreUnavailableError
from financehub_shared.metrics import Metrics
from financehub_shared.store.assets_file import AssetsFileError, load_assets
from financehub_shared.store.port import Store

log = structlog.get_logger(__name__)

#: A changed assets file is in force within about this time.
ASSETS_SECONDS = 2.0


class JanitorRounds:
    """Gives back what dead workers held. Blocks: call it in a thread.

    Args:
        janitor: of the broker.
        metrics: where it is counted.
    """

    def __init__(self, janitor: Janitor, metrics: Metrics) -> None:
        self._janitor = janitor
        self._metrics = metrics

    def step(self) -> None:
        """One round; what fails is made up for by the next."""
        try:
            reclaimed = self._janitor.run()
        except redis.RedisError as error:
            log.warning("janitor_round_failed", error=str(error))
            return
        for queue, count in reclaimed.items():
            self._metrics.queue_reclaimed.labels(queue).inc(count)


class DeclaredAssets:
    """Keeps the store's declared assets equal to a file. Blocks: call it in a thread.

    Args:
        path: YAML file, or a mounted ConfigMap's.
        store: where assets are kept.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self._path = path
        self._store = store
        self._done: tuple[int, int, int] | None = None
        self._waiting = False

    def step(self) -> None:
        """Reconcile if the file has changed; a bad file leaves the assets as they are."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)  # `load_assets` says what is wrong, once
        if stamp == self._done:
            return
        try:
            written, removed = self._store.reconcile_assets(load_assets(self._path))
        except AssetsFileError as error:
            for problem in error.problems:
                log.error("assets_refused", problem=problem)  # noqa: TRY400 — the traceback would say no more
        except StoreUnavailableError as error:
            if not self._waiting:
                log.warning("assets_wait_for_redis", error=str(error))
            self._waiting = True
            return
        else:
            log.info("assets_reconciled", file=str(self._path), written=written, removed=removed)
        self._done, self._waiting = stamp, False
