"""Issues service account tokens that are signed with the control plane's key.

TokenRequest issues no tokens for less than ten minutes. The API server accepts tokens of any lifetime from this key.
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
#: The API server accepts a token this long after its expiry, because clocks may differ.
_LEEWAY_SECONDS = 60


@dataclass(frozen=True)
class User:
    """A service account from its clients' perspective. Its token is in a separate file, which a test may rewrite.

    Args:
        name: Name in the audit log and in RBAC.
        namespace: Namespace of the account and of the kubeconfig's context.
        kubeconfig: Kubeconfig for its clients, which reads the token from `token`.
        token: File with the token.
        key: File with the key that signs tokens.
        uid: Uid of the service account.
    """

    name: str
    namespace: str
    kubeconfig: Path
    token: Path
    key: Path
    uid: str

    def login(self, seconds: float = 3600) -> None:
        """Write a token to the file.

        Args:
            seconds: Validity in seconds, which is negative for an expired token. The API server caches an accepted
                token for another ten seconds.
        """
        now = int(time.time())
        account = {"name": self.name.rpartition(":")[2], "uid": self.uid}
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": self.name,
            # These are long ago, because an expiry in the past must be later than them.
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
    """Return a JSON web token, signed with ES256."""
    head = ".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    numbers = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{_encode(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
