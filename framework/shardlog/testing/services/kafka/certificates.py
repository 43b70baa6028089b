"""Certificates for the secured listener: an authority of its own, for the loopback address only."""

from __future__ import annotations

from pathlib import Path

AUTHORITY_NAME = "ca.pem"
BROKER_NAME = "broker.pem"


def write_certificates(folder: Path) -> None:
    """Write the authority's certificate, and the brokers' key and certificate in the form that Kafka reads."""
    import trustme
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka reads
    broker = folder / BROKER_NAME
    broker.touch(mode=0o600)
    broker.write_bytes(pkcs8 + chain)
    authority.cert_pem.write_to_path(str(folder / AUTHORITY_NAME))
