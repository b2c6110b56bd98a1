"""Tests of the simulator's certificate authority."""

import ssl
from pathlib import Path

from cryptography import x509

from financehub_simulator.certificates import create_certificates


def test_created_certificates_satisfy_strict_clients(tmp_path: Path):
    """Only the authority may sign, the server certificate names every host, and only the owner can read the key."""
    certificates = create_certificates(tmp_path / "ca")
    authority = x509.load_pem_x509_certificate(certificates.authority.read_bytes())
    server = x509.load_pem_x509_certificates(certificates.chain.read_bytes())[0]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"*.yahoo.com", "*.finance.yahoo.com", "finnhub.io", "www.coindesk.com"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    server.verify_directly_issued_by(authority)
    assert certificates.key.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=str(certificates.authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.get_ca_certs()
