"""One question to a registry: its answer, or our error for whatever went wrong."""

from __future__ import annotations

import ssl
from typing import Any

import httpx
import msgspec

from shardlog.errors import RegistryFailed, RegistryUnavailable

_TRY_LATER = {408, 425, 429}


def asked(
    client: httpx.Client, method: str, path: str, content: bytes | None, expected: set[int]
) -> tuple[int, dict[str, Any]]:
    """Status and answer, of which the status is an expected one. Raises RegistryUnavailable and RegistryFailed."""
    where = f"the schema registry at {client.base_url}"
    try:
        response = client.request(method, path, content=content)
    except httpx.TransportError as error:
        if _is_distrust(error):
            raise RegistryFailed(f"{where} is not trusted: {error}. Set [schemas] registry_ca_file.") from error
        raise RegistryUnavailable(f"{where} does not answer: {type(error).__name__} {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, RuntimeError) as error:
        raise RegistryFailed(f"{where} cannot be asked: {type(error).__name__} {error}") from error
    status = response.status_code
    if status in (401, 403):
        raise RegistryFailed(
            f"{where} refuses {method} {path} ({status}): check [schemas] registry_user and registry_password_file, "
            "and what that user may do"
        )
    if status >= 500 or status in _TRY_LATER:
        raise RegistryUnavailable(f"{where} answers {status}: {response.text[:200]}")
    try:
        answer = msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RegistryFailed(
            f"{where} answers {status} with what is no object of JSON: is its API's path in [schemas] registry_url?"
        ) from error
    if status not in expected or (status == 404 and "error_code" not in answer):
        raise RegistryFailed(f"{where} answers {method} {path} with {status}: {response.text[:200]}")
    return status, answer


def _is_distrust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
