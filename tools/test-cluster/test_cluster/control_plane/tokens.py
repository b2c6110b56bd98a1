"""Tokens of service accounts, signed with the control plane's own key.

TokenRequest gives none for less than ten minutes; the API server believes this key whatever the lifetime.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://kubernetes.default.svc"
#: How much longer than it says the API server takes a token, for clocks that differ.
_LEEWAY_SECONDS = 60


@dataclass(frozen=True)
class User:
    """A service account as its client sees it; the token lies in a file of its own, which a test may rewrite.

    Args:
        name: as the audit log and RBAC know it.
        namespace: its own, which is also that of the kubeconfig's context.
        kubeconfig: for its clients; reads the token from `token`.
        token: file of the token.
        key: file of the key that signs tokens.
        uid: of the service account.
    """

    name: str
    namespace: str
    kubeconfig: Path
    token: Path
    key: Path
    uid: str

    def login(self, seconds: float = 3600) -> None:
        """Put a token into the file.

        Args:
            seconds: how long the API server takes it, plus the ten that it remembers a token it has seen; negative:
                it has expired.
        """
        now = int(time.time())
        account = {"name": self.name.rpartition(":")[2], "uid": self.uid}
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": self.name,
            # long ago, for an expiry in the past to come after them
            "iat": now - 86_400,
            "nbf": now - 86_400,
            "exp": now + int(seconds) - _LEEWAY_SECONDS,
            "kubernetes.io": {"namespace": self.namespace, "serviceaccount": account},
        }
        key = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.token.touch(mode=0o600)
        self.token.write_text(_sign(claims, key), encoding="utf-8")


def _sign(claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """A JSON web token, ES256."""
    head = ".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    numbers = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{_encode(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
