"""The store's assets as the scheduler knows them: it keeps the declared ones there, and schedules may name them."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.errors import CorruptDataError, InvalidArgumentsError, StoreUnavailableError
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import AssetsFileError, load_assets
from financehub_shared.market.port import Store

log = structlog.get_logger(__name__)

#: A changed assets file is in force, and a new asset known to the schedules, within about this time.
ASSETS_SECONDS = 2.0


class Assets:
    """Keeps the store's declared assets equal to a file, and remembers what the store holds.

    Args:
        store: where assets are kept.
        declared: YAML file, or a mounted ConfigMap's, of the declared assets; None: there are none.
    """

    def __init__(self, store: Store, declared: Path | None) -> None:
        self._store = store
        self._declared = declared
        self._reconciled: tuple[int, int, int] | None = None
        self._known: Mapping[str, Asset] | None = None
        self._unread = False

    @property
    def known(self) -> bool:
        """Whether the store has been read, its declared assets in it."""
        return self._known is not None

    def step(self) -> bool:
        """Reconcile if the file has changed, then read the store. Blocks: call it in a thread.

        What fails leaves everything as it was, is logged once, and is made up for by a later step.

        Returns:
            Whether the store holds something else than at the last step.
        """
        try:
            if self._declared is not None:
                self._reconcile(self._declared)
            known = {asset.symbol: asset for asset in self._store.assets(active_only=False)}
        except (StoreUnavailableError, CorruptDataError) as error:
            if not self._unread:
                log.warning("assets_unread", error=str(error))
            self._unread = True
            return False
        changed = known != self._known
        self._known, self._unread = known, False
        return changed

    def refusal(self, schedule: Schedule) -> str:
        """Why the arguments of a schedule do not fit the assets there are, naming the field; empty: they do."""
        if not schedule.symbols:
            return ""
        if self._known is None:
            return "the assets in the store could not be read yet"
        named = [self._known[symbol] for symbol in schedule.symbols if symbol in self._known]
        try:
            select_assets(schedule.task, schedule.symbols, named)
        except InvalidArgumentsError as error:
            return str(error)
        return ""

    def _reconcile(self, file: Path) -> None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)  # `load_assets` says what is wrong, once
        if stamp == self._reconciled:
            return
        try:
            written, removed = self._store.reconcile_assets(load_assets(file))
        except AssetsFileError as error:
            # a bad file leaves the assets as they are
            for problem in error.problems:
                log.error("assets_refused", problem=problem)  # noqa: TRY400 — the traceback would say no more
        else:
            log.info("assets_reconciled", file=str(file), written=written, removed=removed)
        self._reconciled = stamp
