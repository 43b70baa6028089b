"""Every error of httpx, and every answer of a server, is one of ours, says who must act, and shows no secret."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shardlog.adapters.registry.confluent import ConfluentRegistry, RegistryAccess
from shardlog.adapters.registry.errors import asked
from shardlog.errors import ConfigurationError, RegistryFailed, RegistryUnavailable, SchemaError
from shardlog.wiring.schemas import open_registry
from shardlog.wiring.settings import SchemaSettings

SECRET = "open sesame"


def subclasses(cls: type[Exception]) -> Iterator[type[Exception]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from subclasses(sub)


def raised(error: Exception) -> httpx.Client:
    """A client whose every request ends in this."""

    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    return httpx.Client(base_url="http://registry", transport=httpx.MockTransport(handle))


def answering(status: int, content: bytes) -> httpx.Client:
    """A client that gets this answer to all."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=content))
    return httpx.Client(base_url="http://registry", transport=transport)


EVERY = sorted({*subclasses(httpx.HTTPError), *subclasses(httpx.StreamError), httpx.InvalidURL}, key=str)


@pytest.mark.parametrize("cls", EVERY)
def test_no_error_of_the_library_comes_out_unmapped(cls: type[Exception]) -> None:
    error = cls.__new__(cls)
    Exception.__init__(error, "said")
    if isinstance(error, httpx.RequestError):
        error._request = None
    with pytest.raises((RegistryUnavailable, RegistryFailed), match="http://registry"):
        asked(raised(error), "GET", "/subjects", None, {200})


def test_a_certificate_that_is_not_trusted_is_no_matter_of_time() -> None:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    with pytest.raises(RegistryFailed, match="registry_ca_file"):
        asked(raised(error), "GET", "/subjects", None, {200})


@pytest.mark.parametrize(
    ("status", "content", "expected", "said"),
    [
        (401, b"{}", RegistryFailed, "registry_user"),
        (403, b"{}", RegistryFailed, "what that user may do"),
        (429, b"{}", RegistryUnavailable, "429"),
        (500, b"oops", RegistryUnavailable, "oops"),
        (503, b"", RegistryUnavailable, "503"),
        (200, b"<html>", RegistryFailed, "no object of JSON"),
        (200, b"[]", RegistryFailed, "no object of JSON"),
        (302, b"{}", RegistryFailed, "302"),
        (404, b'{"error": "no page"}', RegistryFailed, "404"),
        (418, b"{}", RegistryFailed, "418"),
    ],
)
def test_an_answer_that_was_not_expected_is_one_of_ours(
    status: int, content: bytes, expected: type[SchemaError], said: str
) -> None:
    with pytest.raises(expected, match=said):
        asked(answering(status, content), "GET", "/schemas/ids/1", None, {200, 404})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://ann:{SECRET}@registry", "has a name or a password in it"),
        ("registry:8081", "must be an http or https address"),
        ("ftp://registry", "must be an http or https address"),
        ("http://registry:port", "is no address"),
        ("http://", "must be an http or https address"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_at_the_start(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        ConfluentRegistry(RegistryAccess(url=url))
    assert SECRET not in str(raised.value)


def test_a_password_is_shown_nowhere() -> None:
    access = RegistryAccess(url="http://127.0.0.1:1", user="ann", password=SECRET, timeout_ms=1000)
    registry = ConfluentRegistry(access)
    with pytest.raises(RegistryUnavailable) as raised:
        registry.schema(1)
    assert SECRET not in f"{access!r} {access} {raised.value} {raised.value.__cause__!r}"


def test_a_file_of_certificates_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = SchemaSettings(registry_url="https://registry", registry_ca_file="ca.pem")
    with pytest.raises(ConfigurationError, match=r"registry_ca_file, .*ca\.pem"):
        open_registry(settings, tmp_path)


def test_a_file_of_the_password_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    settings = SchemaSettings(registry_url="https://registry", registry_password_file="password")
    with pytest.raises(ConfigurationError, match="registry_password_file"):
        open_registry(settings, tmp_path)
