"""Structured logs: how a command line writes what rooms log.

Rooms log by the standard library, with `shardlog.telemetry.fields` as `extra`, and need no more than it. Only a program
that owns its process calls `configure_logging`, once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor, WrappedLogger

from shardlog.telemetry.settings import LoggingSettings

HIDDEN = "***"


def configure_logging(settings: LoggingSettings, stream: TextIO, secrets: Iterable[str] = ()) -> None:
    """Write what this process logs to a stream, in place of what was configured before.

    secrets: texts that are written as `***`, wherever they stand in a line: a library may quote in an error what it was
    given. Empty ones are passed over.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(settings.format, secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Lines of text or of JSON, with the fields of the record, and without secrets."""

    def __init__(self, format: Literal["text", "json"], secrets: Iterable[str]) -> None:
        before: list[Processor] = [
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ]
        shown = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _hiding(secrets), *_rendering(format)]
        super().__init__(foreign_pre_chain=before, processors=shown)


def _rendering(format: Literal["text", "json"]) -> list[Processor]:
    if format == "json":
        return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(default=str)]
    return [ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False, exception_formatter=plain_traceback)]


def _hiding(secrets: Iterable[str]) -> Processor:
    known = {form for secret in secrets if secret for form in (secret, repr(secret)[1:-1])}
    hidden = sorted(known, key=len, reverse=True)

    def hide(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        return {key: _without(value, hidden) for key, value in event.items()} if hidden else event

    return hide


def _without(value: Any, secrets: list[str]) -> Any:
    """The value, or a text of it in which no secret stands."""
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = value if isinstance(value, str) else str(value)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
