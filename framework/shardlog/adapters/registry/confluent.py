"""The schema registry port over Confluent's REST API, by httpx."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from shardlog.adapters.registry.errors import asked
from shardlog.errors import ConfigurationError, RegistryFailed, SchemaError, SchemaRefused, SchemaUnknown
from shardlog.ports.schema_registry import SchemaRegistry

COMPATIBILITY = "FULL_TRANSITIVE"
"""What a new subject is held to: every reader reads what was ever written, as `shardlog schema check` asks."""
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_SUBJECT_UNKNOWN = 40401


class RegistryAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where a registry is, and how it is asked.

    url: to where the API begins, such as https://registry:8081, or http://apicurio:8080/apis/ccompat/v7. password:
    never part of an error or a log. ca_file: certificates of whoever signed the registry's, "" for those that Python
    trusts. timeout_ms: how long connecting, and each wait for an answer, may take.
    """

    url: str
    user: str = ""
    password: str = ""
    ca_file: str = ""
    timeout_ms: int = 10_000

    def __repr__(self) -> str:
        return f"RegistryAccess(url={self.url!r}, user={self.user!r}, password=<hidden>)"


class ConfluentRegistry(SchemaRegistry):
    """Raises ConfigurationError for an address or a file that cannot be used."""

    def __init__(self, access: RegistryAccess) -> None:
        self._url = _checked(access)
        self._client = httpx.Client(
            base_url=self._url,
            auth=httpx.BasicAuth(access.user, access.password) if access.user else None,
            verify=_trusted(access.ca_file),
            timeout=access.timeout_ms / 1000,
            headers={"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE},
            trust_env=False,  # a proxy or a .netrc of the host would see schemas, or give other credentials
        )

    def register(self, subject: str, schema: str) -> int:
        path = f"/subjects/{quote(subject, safe='')}"
        known, found = self._post(path, schema, 200, 404)
        if known == 200:
            return _id(found, self._url)
        status, answer = self._post(f"{path}/versions", schema, 200, 409, 422)
        if status == 409:
            raise SchemaRefused(
                f"the registry at {self._url} refuses the schema for {subject}: {_message(answer)}. "
                "`shardlog schema check` says which field, and what to do instead."
            )
        if status == 422:
            raise SchemaError(f"the registry at {self._url} takes this for no schema of {subject}: {_message(answer)}")
        if found.get("error_code") == _SUBJECT_UNKNOWN:
            config = msgspec.json.encode({"compatibility": COMPATIBILITY})
            asked(self._client, "PUT", f"/config/{quote(subject, safe='')}", config, {200})
        return _id(answer, self._url)

    def find(self, subject: str, schema: str) -> int | None:
        status, answer = self._post(f"/subjects/{quote(subject, safe='')}", schema, 200, 404)
        return _id(answer, self._url) if status == 200 else None

    def schema(self, id: int) -> str:
        status, answer = asked(self._client, "GET", f"/schemas/ids/{id}", None, {200, 404})
        if status == 404:
            raise SchemaUnknown(
                f"the registry at {self._url} has no schema {id}: whoever wrote the value used another registry, or "
                "the schema was deleted there"
            )
        if answer.get("schemaType", "AVRO") != "AVRO" or not isinstance(answer.get("schema"), str):
            raise SchemaError(f"schema {id} of the registry at {self._url} is no Avro, but {answer.get('schemaType')}")
        return str(answer["schema"])

    def incompatibility(self, subject: str, schema: str) -> str | None:
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions?verbose=true"
        status, answer = self._post(path, schema, 200, 404, 422)
        if status == 422:
            raise SchemaError(f"the registry at {self._url} takes this for no schema of {subject}: {_message(answer)}")
        if status == 404 or answer.get("is_compatible"):
            return None
        messages = answer.get("messages") or [answer.get("reason") or "it does not say why"]
        return "; ".join(str(message) for message in messages)

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, schema: str, *expected: int) -> tuple[int, dict[str, Any]]:
        return asked(self._client, "POST", path, msgspec.json.encode({"schema": schema}), set(expected))


def _checked(access: RegistryAccess) -> str:
    try:
        url = httpx.URL(access.url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigurationError(f"schemas setting registry_url is no address: {error}") from error
    if url.userinfo:
        raise ConfigurationError(
            "schemas setting registry_url has a name or a password in it, and addresses are shown in errors: use "
            "registry_user and registry_password_file"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(
            f"schemas setting registry_url is {access.url!r}, and must be an http or https address"
        )
    return access.url.rstrip("/")


def _trusted(ca_file: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"schemas setting registry_ca_file, {ca_file!r}, cannot be used: {error}") from error


def _id(answer: dict[str, Any], url: str) -> int:
    id = answer.get("id")
    if not isinstance(id, int):
        raise RegistryFailed(f"the registry at {url} gave no id for a schema: {answer}")
    return id


def _message(answer: dict[str, Any]) -> str:
    return str(answer.get("message", "it does not say why"))
