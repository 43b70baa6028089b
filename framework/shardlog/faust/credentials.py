"""How faust reaches the brokers, from the same settings as all else that is on Kafka."""

from __future__ import annotations

import ssl

import faust
from faust.types.auth import CredentialsT

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError


def broker_url(settings: KafkaSettings) -> str:
    """As faust writes addresses. Raises ConfigurationError where none is set.

    >>> broker_url(KafkaSettings(bootstrap_servers="a:9092, b:9092"))
    'kafka://a:9092;kafka://b:9092'
    """
    if not settings.bootstrap_servers:
        raise ConfigurationError(
            "kafka setting bootstrap_servers is empty: name some brokers as host:port,... "
            "([kafka] bootstrap_servers, or SHARDLOG_KAFKA_BOOTSTRAP_SERVERS)"
        )
    return ";".join(f"kafka://{address.strip()}" for address in settings.bootstrap_servers.split(","))


def credentials(settings: KafkaSettings) -> CredentialsT | None:
    """User, certificates, or both; None for plain text without a user. Raises ConfigurationError."""
    context = _ssl_context(settings) if settings.security_protocol.endswith("SSL") else None
    if settings.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.sasl_user,
            password=settings.sasl_password,
            ssl_context=context,
            mechanism=settings.sasl_mechanism,
        )
    return None if context is None else faust.SSLCredentials(context)


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_path or None)
        if settings.certificate_path:
            context.load_cert_chain(settings.certificate_path, settings.key_path, settings.key_password or None)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"kafka settings ca_path ({settings.ca_path!r}), certificate_path ({settings.certificate_path!r}) and "
            f"key_path ({settings.key_path!r}): {error}. Name PEM files that this process may read"
        ) from error
    return context
