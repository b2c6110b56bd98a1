"""Reads certificates in PEM format, and checks each of them when the process starts."""

import base64
import os
import re
import ssl
from pathlib import Path

from financehub_shared.core.errors import ConfigError
from financehub_shared.providers.transport.der import first_element

#: A variable with several folders, as OpenSSL reads it. The others name one file or folder.
_LIST_VARIABLE = "SSL_CERT_DIR"
#: The labels that OpenSSL reads. A trusted certificate also says for which purposes it is valid.
_START = re.compile(rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----")


def read_certificates(variable: str, value: str) -> list[bytes]:
    """Return the certificates that a variable names, in PEM format and each once.

    Args:
        variable: Name of the variable, for errors.
        value: Path of a file, or of a folder whose files are all read. `SSL_CERT_DIR` may have several, separated by
            `:`. Those that do not exist are left out as long as another one exists.

    Raises:
        ConfigError: A path cannot be read, or contains no certificates or a damaged one.
    """
    try:
        files = [file for path in _paths(variable, value) for file in _files(path)]
        contents = [(file, file.read_bytes()) for file in files]
    except OSError as error:
        raise ConfigError(
            f"{variable}: {error.filename or value} cannot be read: {error.strerror}; write the path of a file with "
            "certificates in PEM format"
        ) from None
    found = [each for file, content in contents for each in _certificates(variable, file, content)]
    if not found:
        is_der = len(contents) == 1 and contents[0][1][:1] == b"\x30"
        advice = (
            f"convert it with `openssl x509 -inform der -in {contents[0][0].name} -out ca.crt`"
            if is_der
            else "write the path of a file that contains -----BEGIN CERTIFICATE-----"
        )
        raise ConfigError(f"{variable}: {value} contains no certificate in PEM format; {advice}")
    return list(dict.fromkeys(found))


def _paths(variable: str, value: str) -> list[Path]:
    """Return the paths in the value of a variable. If none exists, the first one is returned, so that it is named."""
    if variable != _LIST_VARIABLE:
        return [Path(value)]
    paths = [Path(each) for each in value.split(os.pathsep) if each] or [Path(value)]
    return [each for each in paths if each.exists()] or paths[:1]


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def _certificates(variable: str, path: Path, content: bytes) -> list[bytes]:
    """Return the certificates of a file.

    Raises:
        ConfigError: One is damaged.
    """
    starts = list(_START.finditer(content))
    checker = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = []
    for number, start in enumerate(starts, start=1):
        last = b"-----END %s-----" % start[1]
        limit = starts[number].start() if number < len(starts) else len(content)
        try:
            end = content.index(last, start.end(), limit)
            body = base64.b64decode(b"".join(content[start.end() : end].split()), validate=True)
            checker.load_verify_locations(cadata=first_element(body))
        except (ssl.SSLError, ValueError):
            raise ConfigError(
                f"{variable}: certificate {number} in {path} is damaged; copy it again, from the line BEGIN to the "
                "line END"
            ) from None
        found.append(content[start.start() : end + len(last)])
    return found
