"""`shardlog send` over a journal on Kafka: a record of the commands topic, and its reply in the replies topic."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from shardlog.cli.exit_codes import ExitCode
from shardlog.errors import sentence

if TYPE_CHECKING:
    from shardlog.adapters.kafka.published import PublishedTopic
    from shardlog.adapters.kafka.settings import KafkaSettings
    from shardlog.client.commands import CommandOptions
    from shardlog.client.kafka import Delivered
    from shardlog.model.aggregate import Aggregate
    from shardlog.model.application import Application
    from shardlog.model.messages import Command


class Sent(NamedTuple):
    """A command as it was given on the command line. body: the payload's JSON."""

    category: str
    id: str
    name: str
    body: str
    command_id: str
    expected_version: int | None
    occurred_at: str | None
    correlation: str | None


def send(
    settings: KafkaSettings,
    application: Application,
    sent: Sent,
    timeout_s: float,
    as_json: bool,
    show: Callable[[int, dict[str, Any], str], None],
) -> ExitCode:
    """Send it, wait for the reply up to the time-out, and say what came of it. show: status, answer, command id."""
    from shardlog.client.kafka import KafkaCommands
    from shardlog.errors import AppendFailed, JournalRefused, JournalUnavailable

    aggregate, command = _typed(application, sent)
    give_up = time.monotonic() + timeout_s
    try:
        replies, why_not = _replies(settings)
    except JournalUnavailable as error:
        click.echo(f"shardlog: {sentence(error)} Nothing was sent", err=True)
        return ExitCode.UNREACHABLE
    try:
        with KafkaCommands(settings) as commands:
            future = commands.send(
                aggregate.stream(sent.id), command, reply_to=sent.command_id if replies else "", **_options(sent)
            )
            try:
                delivered = future.result(timeout_s)
            except (FutureTimeout, AppendFailed) as error:
                return _unknown(str(error) or f"no broker took it for {timeout_s:g} s", sent.command_id)
        found = replies.find(sent.command_id.encode(), give_up - time.monotonic()) if replies else None
    except JournalRefused as error:
        return _unknown(str(error), sent.command_id)
    finally:
        if replies is not None:
            replies.close()
    if found is None:
        return _unanswered(settings, sent, delivered, why_not or f"no reply came within {timeout_s:g} s", as_json)
    answer = json.loads(found.value or b"{}")
    if as_json:
        click.echo((found.value or b"").decode())
    else:
        show(answer["status"], answer, sent.command_id)
    return ExitCode.OK if answer["status"] == 200 else ExitCode.REFUSED


def _replies(settings: KafkaSettings) -> tuple[PublishedTopic | None, str]:
    """The replies topic, from its end on; None, and why, where this user may not read it."""
    from shardlog.adapters.kafka.published import PublishedTopic
    from shardlog.errors import JournalRefused

    topic = PublishedTopic(settings, settings.replies_topic)
    try:
        topic.begin_at_end()
    except JournalRefused as error:
        topic.close()
        return None, f"no reply was asked for: {error}"
    except BaseException:
        topic.close()
        raise
    return topic, ""


def _typed(application: Application, sent: Sent) -> tuple[Aggregate[Any, Any, Any], Command]:
    """The aggregate, and the command as its class."""
    from shardlog.codec.json import NOT_DECODED, decoder
    from shardlog.model.names import closest

    aggregate = application.aggregates.get(sent.category)
    if aggregate is None:
        known = application.aggregates
        near = closest(sent.category, known)
        raise click.UsageError(f"there is no category {sent.category!r}{near}; there are: {', '.join(known) or 'none'}")
    kind = aggregate.commands_by_name.get(sent.name)
    if kind is None:
        names = aggregate.commands_by_name
        near = closest(sent.name, names)
        raise click.UsageError(f"{sent.category} has no command {sent.name!r}{near}; there are: {', '.join(names)}")
    try:
        command: Command = decoder(kind).decode(sent.body)
    except NOT_DECODED as error:
        raise click.BadParameter(
            f"it is no {sent.category}/{sent.name}: {error}; nothing was sent", param_hint="PAYLOAD"
        ) from error
    return aggregate, command


def _options(sent: Sent) -> CommandOptions:
    options: CommandOptions = {"command_id": sent.command_id}
    if sent.expected_version is not None:
        options["expected_version"] = sent.expected_version
    if sent.correlation is not None:
        options["correlation_id"] = sent.correlation
    if sent.occurred_at is not None:
        try:
            options["occurred_at"] = msgspec.convert(sent.occurred_at, datetime)
        except msgspec.ValidationError as error:
            raise click.BadParameter(
                f"{error}: give it as in 2026-03-01T12:00:00Z", param_hint="--occurred-at"
            ) from error
        if options["occurred_at"].tzinfo is None:
            raise click.BadParameter("it has no time zone: end it with Z, or +01:00", param_hint="--occurred-at")
    return options


def _unanswered(settings: KafkaSettings, sent: Sent, delivered: Delivered, why: str, as_json: bool) -> ExitCode:
    topic, replies = settings.commands_topic, settings.replies_topic
    if as_json:
        place = {"topic": topic, "partition": delivered.partition, "offset": delivered.offset}
        click.echo(json.dumps({"command_id": sent.command_id, "delivered": place, "replies": replies}))
    click.echo(
        f"delivered to topic {topic}, partition {delivered.partition}, offset {delivered.offset}, and not known to be "
        f"accepted: {sentence(why)} It is executed once its shard is served; the reply will stand in topic {replies} "
        f"under the key {sent.command_id} (none comes for a command id that was executed before, or while no "
        f"relay runs). Look with `shardlog stream {sent.category}/{sent.id}`; to send it again: --command-id "
        f"{sent.command_id}",
        err=True,
    )
    return ExitCode.TRY_LATER


def _unknown(why: str, command_id: str) -> ExitCode:
    click.echo(
        f"shardlog: {sentence(why)} The command may have been delivered: send it again with --command-id {command_id}",
        err=True,
    )
    return ExitCode.TRY_LATER
