"""The simulator's own certificate authority."""

import ssl
from pathlib import Path

from cryptography import x509

from financehub_simulator.certificates import ensure_certificates


def test_certificates_are_what_strict_clients_ask_for(tmp_path: Path):
    """The authority may sign and says so, the leaf may not and names every host; only its owner reads the key."""
    made = ensure_certificates(tmp_path / "ca")
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    leaf = x509.load_pem_x509_certificates(made.chain.read_bytes())[0]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"*.yahoo.com", "*.finance.yahoo.com", "finnhub.io", "www.coindesk.com"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    leaf.verify_directly_issued_by(authority)
    assert made.key.stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=str(made.authority))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.get_ca_certs()
