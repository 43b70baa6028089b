"""From the references in the settings to a checked application."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from shardlog.errors import ConfigurationError, ShardlogError
from shardlog.model.application import Application
from shardlog.model.domain import Domain
from shardlog.model.names import closest
from shardlog.model.projection import Projection
from shardlog.wiring.settings import ApplicationSettings

T = TypeVar("T")


def load_application(settings: ApplicationSettings) -> Application:
    """Import what the settings name. Raises ConfigurationError for what is not there, DomainError for what cannot
    work."""
    if not settings.domains:
        raise ConfigurationError(
            "[application] domains names no domain: list them in shardlog.toml, each as 'module:name', or start where "
            "that file is"
        )
    domains = [_load(reference, Domain) for reference in settings.domains]
    projections = [_load(reference, Projection) for reference in settings.projections]
    return Application(domains, projections)


def import_from(folder: Path) -> None:
    """Let modules of this folder be imported: for programs that were not started by Python from there."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _load(reference: str, kind: type[T]) -> T:
    module_name, _, name = reference.partition(":")
    found = getattr(module := _imported(module_name, reference), name, None)
    if not isinstance(found, kind):
        known = [name for name, value in vars(module).items() if isinstance(value, kind)]
        what = f"nothing{closest(name, known)}" if found is None else f"a {type(found).__name__}"
        raise ConfigurationError(f"[application] names {reference!r}, which is {what}; it must be a {kind.__name__}")
    return found


def _imported(module: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ShardlogError:
        raise
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"[application] names {reference!r}, and there is no module {error.name!r} on the path: "
            "start from the repository's root, or install it"
        ) from error
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigurationError(
            f"[application] names {reference!r}, and importing it raised {type(error).__name__}: {error} "
            f"({place.filename}:{place.lineno})"
        ) from error
