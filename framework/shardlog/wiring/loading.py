"""From the references in the settings to a checked application."""

from __future__ import annotations

import importlib
from typing import TypeVar

from shardlog.errors import ConfigurationError
from shardlog.model.application import Application
from shardlog.model.domain import Domain
from shardlog.model.projection import Projection
from shardlog.wiring.settings import ApplicationSettings

T = TypeVar("T")


def load_application(settings: ApplicationSettings) -> Application:
    """Import what the settings name. Raises ConfigurationError for what is not there, DomainError for what cannot
    work."""
    domains = [_load(reference, Domain) for reference in settings.domains]
    projections = [_load(reference, Projection) for reference in settings.projections]
    return Application(domains, projections)


def _load(reference: str, kind: type[T]) -> T:
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"[application] names {reference!r}, and there is no module {error.name!r} on the path: "
            "start from the repository's root, or install it"
        ) from error
    found = getattr(module, name, None)
    if not isinstance(found, kind):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise ConfigurationError(f"[application] names {reference!r}, which is {what}; it must be a {kind.__name__}")
    return found
