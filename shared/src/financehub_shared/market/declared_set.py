"""Identifies the set of assets that a scheduler last wrote from its assets file.

The record of it is stored with the assets. It shows a scheduler whether Redis still has what the scheduler wrote, has
lost it, or has what another scheduler wrote later from another file.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.models import Asset
from financehub_shared.market.encoding.records import encode_asset


@dataclass(frozen=True, slots=True)
class DeclaredSet:
    """The record of one write of declared assets.

    Args:
        digest: Digest of the assets, from `digest_of`.
        at: Time of the write on Redis's clock, Unix seconds.
    """

    digest: str
    at: float

    def to_json(self) -> str:
        """Encode the record for Redis."""
        return json.dumps({"digest": self.digest, "at": self.at}, separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: bytes) -> Self | None:
        """Decode the record. A damaged record counts as absent, because the next write replaces it."""
        try:
            fields = json.loads(raw)
            return cls(str(fields["digest"]), float(fields["at"]))
        except DAMAGED:
            return None


def digest_of(assets: Iterable[Asset]) -> str:
    """Return a digest of declared assets, which does not depend on their order."""
    encoded = sorted(f"{asset.symbol} {encode_asset(asset)}" for asset in assets)
    return hashlib.blake2b("\n".join(encoded).encode(), digest_size=8).hexdigest()
