"""The certificate authorities that both clients of providers trust: the built-in ones and the user's own.

httpx and curl_cffi look for certificates in different variables and files, and a variable replaces the built-in
authorities instead of adding to them. Both clients therefore get the certificates from here.
"""

import contextlib
import os
import ssl
import tempfile
import weakref
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import certifi

from financehub_shared.core.errors import ConfigError
from financehub_shared.providers.transport.certificate_files import read_certificates

#: Variables that replace the built-in authorities, in the order in which they are read. httpx reads only the first and
#: the last one, and curl_cffi only the first three.
REPLACING_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR")
#: The setting that adds authorities to the built-in ones.
ADDING_VARIABLE = "FINANCEHUB_CA_FILE"


class Authorities:
    """Certificate authorities.

    Args:
        file: A file with exactly their certificates in PEM format.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], ca_file: Path | None) -> "Authorities":
        """Read and check the certificates, so that a damaged one ends the process at its start.

        Args:
            environment: Variables, of which `REPLACING_VARIABLES` count.
            ca_file: File with certificates that are added to the built-in ones.

        Raises:
            ConfigError: A file cannot be read, or does not contain certificates or contains a damaged one, or the
                certificates of several files cannot be written into one.
        """
        replacing = next((name for name in REPLACING_VARIABLES if environment.get(name)), None)
        if replacing is None and ca_file is None:
            return cls(Path(certifi.where()))  # read when it is needed, because that takes 15 ms
        parts = [certifi.contents().encode()]
        if replacing is not None:
            parts = read_certificates(replacing, environment[replacing])
        if ca_file is not None:
            parts += read_certificates(ADDING_VARIABLE, str(ca_file))
        variable = replacing if ca_file is None else ADDING_VARIABLE
        if replacing is not None and ca_file is None and Path(environment[replacing]).is_file():
            authorities = cls(Path(environment[replacing]))
        else:
            authorities = cls._written(f"{variable}", b"\n".join(parts) + b"\n")
        try:
            authorities.context  # noqa: B018 — builds it
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or error
            raise ConfigError(
                f"{variable}: OpenSSL refuses the certificates ({reason}); write the path of a file that contains only "
                "certificates in PEM format"
            ) from None
        return authorities

    @classmethod
    def _written(cls, variable: str, certificates: bytes) -> "Authorities":
        """Write the certificates to a file, which is deleted when the process ends.

        Raises:
            ConfigError: The file cannot be written.
        """
        try:
            descriptor, name = tempfile.mkstemp(prefix="financehub-ca-", suffix=".pem")
            authorities = cls(Path(name))
            # A forked process inherits this object, but the file belongs to the one that wrote it.
            weakref.finalize(authorities, _delete, name, os.getpid())
            with os.fdopen(descriptor, "wb") as file:
                file.write(certificates)
        except OSError as error:
            raise ConfigError(
                f"{variable}: the certificates cannot be written to a temporary file: {error.strerror}; make /tmp "
                "writable, or set TMPDIR to another folder"
            ) from None
        return authorities

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The settings of TLS for httpx, with the name of the host checked."""
        # A file, because only then does OpenSSL read the purposes of a trusted certificate.
        context = ssl.create_default_context(cafile=self._file)
        # The certificates of many private authorities lack extensions that Python 3.13 requires. curl accepts them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    @property
    def file(self) -> str:
        """Path of a file with the certificates, for curl."""
        return str(self._file)


def _delete(path: str, owner: int) -> None:
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            Path(path).unlink()
