"""Creates a control plane's keys and certificates, with elliptic curves because each RSA key would take a second."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = dt.timedelta(days=2)


def write_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Create a private key and write it to a file that only the owner can read."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key


def write_public_key(key: ec.EllipticCurvePrivateKey, path: Path) -> None:
    """Write a key's public part to a file."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, kind))


class Authority:
    """Signs certificates for clients and for servers.

    Args:
        directory: Directory to which `ca.crt` is written immediately, and `<name>.crt` and `<name>.key` with each
            certificate.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = write_key(directory / "ca.key")
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "financehub-tests")])
        certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.certificate = directory / "ca.crt"
        self.certificate.write_bytes(certificate)

    def issue(self, name: str, user: str, group: str = "", hosts: Sequence[str] = ()) -> None:
        """Write a key and a certificate.

        Args:
            name: Name of the files.
            user: Kubernetes user of the holder.
            group: Kubernetes group of the holder.
            hosts: Names and addresses of a server, in addition to those of this machine.
        """
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        key = write_key(self._directory / f"{name}.key")
        certificate = self._sign(x509.Name(subject), key.public_key(), authority=False, hosts=hosts)
        (self._directory / f"{name}.crt").write_bytes(certificate)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool, hosts: Sequence[str] = ()
    ) -> bytes:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + _VALID)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(_usage(authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if not authority:
            names = [_name(host) for host in ("localhost", "127.0.0.1", *hosts)]
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
