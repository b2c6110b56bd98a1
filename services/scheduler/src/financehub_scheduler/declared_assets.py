"""Writes a file's declared assets to the store, and caches all assets of the store.

A schedule's arguments may name assets, and the scheduler refuses a schedule that names an unknown one.
"""

from collections.abc import Mapping
from pathlib import Path

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.asset_selection import select_assets
from financehub_shared.core.errors import InvalidArgumentsError, NewerRecordError, StoreUnavailableError
from financehub_shared.core.models import Asset
from financehub_shared.market.assets_file import AssetsFileError, load_assets
from financehub_shared.market.protocols import Store
from financehub_shared.market.unreadable import Unreadable

log = structlog.get_logger(__name__)

#: A changed assets file, or a new asset in the store, takes effect within about this time.
ASSETS_SECONDS = 2.0


class DeclaredAssets:
    """Keeps the store's declared assets in sync with a file, and caches the assets in the store.

    Args:
        store: The store that has the assets.
        file: YAML file of the declared assets, possibly mounted from a ConfigMap; None if there is none.
    """

    def __init__(self, store: Store, file: Path | None) -> None:
        self._store = store
        self._file = file
        self._reconciled: tuple[int, int, int] | None = None
        self._declared: frozenset[str] = frozenset()
        self._known: Mapping[str, Asset] | None = None
        self._unreadable: Unreadable = {}
        self._failing = False

    @property
    def known(self) -> bool:
        """Whether the store has been read since the declared assets were written."""
        return self._known is not None

    def step(self) -> bool:
        """Write the declared assets if the file has changed, then read the store. This blocks, so call it in a thread.

        The declared assets are also written again if the record of one of them is damaged, or if the record of a newer
        release was removed. Other absent assets are not written again, because another scheduler may have a newer file.

        A failure changes nothing and is logged once. A later step tries again.

        Returns:
            Whether the store's assets have changed since the last step.
        """
        try:
            if self._file is not None:
                self._reconcile(self._file)
            unreadable: Unreadable = {}
            assets = self._store.assets(active_only=False, unreadable=unreadable)
        except StoreUnavailableError as error:
            if not self._failing:
                log.warning("assets_read_failed", error=str(error))
            self._failing = True
            return False
        known = {asset.symbol: asset for asset in assets}
        damaged = {symbol for symbol, error in unreadable.items() if not isinstance(error, NewerRecordError)}
        removed = self._unreadable.keys() - unreadable.keys() - known.keys()
        if self._declared & (damaged | removed):
            self._reconciled = None
        changed = known != self._known or unreadable.keys() != self._unreadable.keys()
        self._known, self._unreadable, self._failing = known, unreadable, False
        return changed

    def argument_problem(self, schedule: Schedule) -> str:
        """Return why a schedule's arguments do not fit the known assets, naming the argument; empty if they fit."""
        if not schedule.symbols:
            return ""
        if self._known is None:
            return "the assets in the store could not be read yet"
        named = [self._known[symbol] for symbol in schedule.symbols if symbol in self._known]
        try:
            select_assets(schedule.task, schedule.symbols, named, self._unreadable)
        except InvalidArgumentsError as error:
            return str(error)
        return ""

    def _reconcile(self, file: Path) -> None:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)  # `load_assets` reports the problem, once
        if stamp == self._reconciled:
            return
        try:
            declared = load_assets(file)
            written, removed = self._store.reconcile_assets(declared)
        except AssetsFileError as error:
            # An invalid file does not change the assets.
            for problem in error.problems:
                log.error("assets_refused", problem=problem)  # noqa: TRY400 — a traceback would not add anything
        else:
            self._declared = frozenset(asset.symbol for asset in declared)
            log.info("assets_reconciled", file=str(file), written=written, removed=removed)
        self._reconciled = stamp
