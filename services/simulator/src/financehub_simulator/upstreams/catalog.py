"""All simulated upstreams, imported from the modules that the table names."""

from collections.abc import Sequence
from importlib import import_module

from financehub_simulator.endpoints import Upstream
from financehub_simulator.upstreams.table import UPSTREAM_ROWS

ALL_UPSTREAMS: Sequence[Upstream] = tuple(import_module(f"{__package__}.{row.name}").UPSTREAM for row in UPSTREAM_ROWS)
