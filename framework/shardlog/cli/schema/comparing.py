"""What `schema export` and `schema check` share: the classes at hand beside the folder, and how a refusal is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from shardlog.cli.options import load_with_application

if TYPE_CHECKING:
    from shardlog.avro.evolution import SchemaChange
    from shardlog.avro.messages import MessageAvro
    from shardlog.avro.names import MessageName

F = TypeVar("F", bound=Callable[..., Any])


class Compared(NamedTuple):
    """The folder, what the classes give, and what became of each message."""

    directory: Path
    messages: Mapping[MessageName, MessageAvro[Any]]
    changes: Sequence[SchemaChange]


def schemas_option(function: F) -> F:
    """`--directory PATH`, as `directory`."""
    return click.option(
        "--directory",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of schemas, such as that of another checkout.  [default: [schemas] directory]",
    )(function)


def compared(settings: Path | None, directory: Path | None) -> Compared:
    """Raises ConfigurationError, DomainError for a message that has no form in Avro, SchemaError for the folder."""
    try:
        from shardlog.avro.evolution import changes, old_events
        from shardlog.avro.messages import application_messages
    except ModuleNotFoundError as error:
        raise click.ClickException(f"there is no module {error.name!r}: pip install 'shardlog[avro]'") from error
    from shardlog.adapters.filesystem.schemas import read_schemas

    loaded, application = load_with_application(settings)
    where = directory or loaded.folder / loaded.settings.schemas.directory
    messages = application_messages(application)
    return Compared(where, messages, changes(messages, old_events(application), read_schemas(where)))


def say_refused(changes: Sequence[SchemaChange]) -> None:
    """A paragraph each, on the standard output."""
    for change in changes:
        click.echo(f"{change.path}: refused, {change.message} is not what is stored")
        for reason in change.reasons:
            click.echo(f"  - {reason}")
        click.echo(f"  {change.remedy}")
