"""Tests of the files with certificate authorities, and of reading a certificate that is not trusted."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings
from financehub_shared.providers.transport.authorities import REPLACING_VARIABLES, Authorities
from financehub_shared.providers.transport.der import issuer_and_end
from financehub_shared.providers.transport.egress import Egress
from support.egress_lab import authority, server_identity, trusted_pem

CA = authority("Example CA")
TRUSTED = trusted_pem(CA)
DER = server_identity(["a.test"], CA).certificate.public_bytes(serialization.Encoding.DER)


def test_file_with_several_certificates_and_comments_adds_all_of_them(tmp_path: Path):
    """A bundle may contain several certificates, and text of any encoding between them."""
    path = tmp_path / "ca.crt"
    path.write_bytes("# Autorität\n".encode("latin-1") + CA.pem + b"\r\n# second\r\n" + authority("Second").pem)
    names = {
        value
        for each in Authorities.from_environment({}, path).context.get_ca_certs()
        for ((_, value),) in each["subject"]
        if isinstance(value, str)
    }
    assert {"Example CA", "Second"} <= names


@pytest.mark.parametrize("variable", ["FINANCEHUB_CA_FILE", *REPLACING_VARIABLES])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "contains no certificate in PEM format; write the path of a file that contains -----BEGIN CERTIFICATE"),
        (b"hello", "contains no certificate in PEM format"),
        (DER, "contains no certificate in PEM format; convert it with `openssl x509 -inform der -in ca.crt"),
        (CA.pem.replace(b"M", b"N"), "certificate 1 in "),
        (CA.pem + CA.pem[:80] + b"\n-----END CERTIFICATE-----\n", "certificate 2 in "),
        (CA.pem + CA.pem[:80], "certificate 2 in "),
        (CA.pem[:80] + b"\n" + CA.pem, "certificate 1 in "),
        (CA.pem.replace(b"\n", b"\xe4\n", 2), "certificate 1 in "),
        (CA.pem + b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "certificate 2 in "),
        (CA.pem + TRUSTED.replace(TRUSTED[40:120], b""), "certificate 2 in "),
        (TRUSTED.replace(b"\n", b"*\n", 2), "certificate 1 in "),
        (b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", "certificate 1 in "),
        (CA.pem + b"-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n", None),
    ],
)
def test_file_without_usable_certificates_is_refused(
    variable: str, content: bytes, problem: str | None, tmp_path: Path
):
    """The message names the variable, the file, what is wrong and what to do, when the process starts.

    OpenSSL may refuse a file because of a damaged part of another kind, but then the message also says so.
    """
    path = tmp_path / "ca.crt"
    path.write_bytes(content)
    environment = {variable: str(path)}
    try:
        Egress.from_environment(load_settings(environment), environment)
    except ConfigError as error:
        message = str(error)
    else:
        message = None
    if problem is None:
        assert message is None or "OpenSSL refuses the certificates" in message
        return
    assert message is not None
    assert message.startswith(f"{variable}: ")
    assert str(path) in message
    assert problem in message


@pytest.mark.parametrize("variable", ["FINANCEHUB_CA_FILE", *REPLACING_VARIABLES])
@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf# Autorit\xe4t\r\n" + CA.pem.replace(b"\n", b"\r\n") + b"\xff\r\n",
        CA.pem.rstrip(),
        CA.pem.replace(b" CERT", b" X509 CERT"),
        TRUSTED,
    ],
    ids=["comments", "no-last-line", "old-label", "trusted"],
)
def test_certificate_in_each_form_of_openssl_is_read(variable: str, content: bytes, tmp_path: Path):
    """Text of any encoding around a certificate does not matter, and each label of OpenSSL is read."""
    path = tmp_path / "ca.crt"
    path.write_bytes(content)
    environment = {variable: str(path)}
    ca_file = path if variable == "FINANCEHUB_CA_FILE" else None
    found = Authorities.from_environment(environment, ca_file).context.get_ca_certs()
    assert ((("commonName", "Example CA"),),) in [each["subject"] for each in found]


def test_list_of_folders_is_read_without_those_that_do_not_exist(tmp_path: Path):
    """SSL_CERT_DIR is a list, as OpenSSL reads it: folders that do not exist, and empty elements, are left out."""
    for name, identity in (("one", CA), ("two", authority("Second"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ca.crt").write_bytes(identity.pem)
    value = os.pathsep.join(["", f"{tmp_path}/none", f"{tmp_path}/one", f"{tmp_path}/two", ""])
    assert len(Authorities.from_environment({"SSL_CERT_DIR": value}, None).context.get_ca_certs()) == 2


def test_file_that_can_be_read_only_once_is_read_for_both_clients(tmp_path: Path):
    """A pipe, such as that of `<(command)` in a shell, is read once, and curl gets a file with its content."""
    read, write = os.pipe()
    os.write(write, CA.pem)
    os.close(write)
    try:
        authorities = Authorities.from_environment({"SSL_CERT_FILE": f"/dev/fd/{read}"}, None)
    finally:
        os.close(read)
    assert len(authorities.context.get_ca_certs()) == 1
    assert Path(authorities.file).read_bytes().strip() == CA.pem.strip()


def test_file_for_curl_exists_until_its_process_ends(tmp_path: Path):
    """A forked process that exits normally, such as a worker, leaves the file to its parent, which deletes it."""
    (tmp_path / "ca.crt").write_bytes(CA.pem)
    program = """if True:
        import os, sys
        from pathlib import Path
        from financehub_shared.providers.transport.authorities import Authorities
        authorities = Authorities.from_environment({}, Path(sys.argv[1]))
        path = Path(authorities.file)
        child = os.fork()
        if child == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        print(path.is_file(), path)
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program, str(tmp_path / "ca.crt")]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    existed, path = output.split()
    assert existed == "True"
    assert path.startswith(f"{tmp_path}/financehub-ca-")
    assert not Path(path).exists()


def test_file_for_curl_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The message says which folder to make writable, when the process starts."""
    (tmp_path / "ca.crt").write_bytes(CA.pem)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"^FINANCEHUB_CA_FILE: .* temporary file: No such file.*set TMPDIR"):
        Authorities.from_environment({}, tmp_path / "ca.crt")


@pytest.mark.parametrize("variable", REPLACING_VARIABLES)
def test_variable_with_a_missing_file_is_refused(variable: str, tmp_path: Path):
    """A missing file is an error for each variable. curl alone would silently use its own authorities."""
    with pytest.raises(ConfigError, match=f"{variable}: {tmp_path}/none cannot be read: No such file"):
        Authorities.from_environment({variable: str(tmp_path / "none")}, None)


@pytest.mark.parametrize("variable", REPLACING_VARIABLES)
def test_variable_with_a_folder_replaces_the_built_in_authorities(variable: str, tmp_path: Path):
    """Each variable may name a folder. Both clients then trust exactly its certificates."""
    (tmp_path / "one.crt").write_bytes(CA.pem)
    (tmp_path / "two.pem").write_bytes(authority("Second").pem)
    authorities = Authorities.from_environment({variable: str(tmp_path)}, None)
    assert len(authorities.context.get_ca_certs()) == 2
    assert Path(authorities.file).read_text(encoding="ascii").count("BEGIN") == 2


def test_issuer_and_end_of_a_certificate_are_read():
    """The name of the issuer and the end of validity are those that the issuer wrote."""
    identity = server_identity(["a.test"], CA, ends_in=timedelta(hours=-5))
    issuer, end = issuer_and_end(identity.certificate.public_bytes(serialization.Encoding.DER))
    assert (issuer, end) == ("Example CA", identity.certificate.not_valid_after_utc)


@given(st.binary(max_size=300))
def test_issuer_of_any_bytes_is_read_without_an_error(data: bytes):
    """What a foreign server sends instead of a certificate never raises."""
    issuer_and_end(data)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_issuer_of_a_damaged_certificate_is_printable(position: int, value: int):
    """A certificate with any byte changed, or cut anywhere, gives a short printable name or none."""
    for data in (DER[:position] + bytes([value]) + DER[position + 1 :], DER[:position]):
        issuer, _ = issuer_and_end(data)
        assert issuer.isprintable()
        assert len(issuer) <= 80
