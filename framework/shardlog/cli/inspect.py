"""`shardlog inspect`: the records of the journal, as they stand there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shardlog.cli.options import json_option, load, settings_option
from shardlog.cli.printing import count, instant, progress, say_json

if TYPE_CHECKING:
    from shardlog.inspection.records import SeenRecord
    from shardlog.journal.reader import Reader
    from shardlog.wiring.reading import OpenJournal


@click.command("inspect")
@click.argument("shard", type=click.IntRange(0), required=False)
@click.option("--from", "start", type=click.IntRange(0), default=0, metavar="OFFSET", help="Show from this offset on.")
@click.option("--limit", type=click.IntRange(1), help="Show so many records of each shard at most.")
@click.option("--invalid", "only_invalid", is_flag=True, help="Show only records that do not count, and why.")
@settings_option
@json_option
def command(
    shard: int | None, start: int, limit: int | None, only_invalid: bool, settings: Path | None, as_json: bool
) -> None:
    """Show what stands in SHARD of the journal (default: in every shard): frames, claims, and what is invalid.

    Every record before OFFSET is judged too, since a record counts by what came before it. With --json a record is a
    line. Nothing of the domain's code is needed, and a server may run meanwhile. Exits with 65 at a record that must
    stop every reader: damaged, diverged, or of a format that this code does not know.
    """
    from shardlog.wiring.reading import open_journal

    found_settings = load(settings).settings
    with open_journal(found_settings.directory, found_settings.kafka) as opened:
        if shard is not None and shard >= opened.meta.shards:
            raise click.UsageError(f"there is no shard {shard}: there are {opened.meta.shards}, numbered from 0")
        for number in range(opened.meta.shards) if shard is None else [shard]:
            _show_shard(opened, number, _Wanted(start, limit, only_invalid), as_json)


class _Wanted:
    """Which records of a shard are shown."""

    def __init__(self, start: int, limit: int | None, only_invalid: bool) -> None:
        self._start, self._left, self._only_invalid = start, limit, only_invalid

    def takes(self, record: SeenRecord) -> bool:
        if record.offset < self._start or (self._only_invalid and record.kind != "invalid"):
            return False
        if self._left is not None:
            self._left -= 1
        return True

    @property
    def is_enough(self) -> bool:
        return self._left == 0


def _show_shard(opened: OpenJournal, shard: int, wanted: _Wanted, as_json: bool) -> None:
    from shardlog.inspection.records import records

    reader = opened.reader(shard)
    kinds: Counter[str] = Counter()
    with progress() as bars:
        task = bars.add_task(f"shard {shard}", total=opened.records(shard))
        for record in records(opened.journal, reader):
            kinds[record.kind] += 1
            bars.update(task, advance=1)
            if wanted.takes(record):
                (_say_json if as_json else _say)(record, reader)
                if wanted.is_enough:
                    return
    if not as_json:
        what = ", ".join(count(kinds[kind], kind) for kind in ("frame", "claim")) + f", {kinds['invalid']:,} invalid"
        click.echo(f"shard {shard}: {what}; epoch {reader.epoch}, head {reader.head[:16]}")


def _say(record: SeenRecord, reader: Reader) -> None:
    from shardlog.inspection.records import entries, why_invalid

    place = f"{record.shard}.{record.offset}"
    if record.claim is not None:
        owner = f"{record.claim.owner} {record.claim.address}".strip()
        click.echo(f"{place} claim, epoch {record.epoch}, by {owner} at {instant(record.claim.time)}")
    elif record.frame is not None:
        number = len(record.frame.entries)
        what = f"{number} {'entry' if number == 1 else 'entries'}, {count(record.bytes, 'byte')}"
        click.echo(f"{place} frame {record.epoch}/{record.seq} at {instant(record.frame.time)}: {what}")
        for entry in entries(record.frame):
            stream = f"{entry.category}/{entry.id} " if entry.category else ""
            said = entry.outcome if not entry.message else f"{entry.outcome}: {entry.message}"
            click.echo(f"  {entry.index} {stream}{entry.command} {entry.command_id}: {said}")
            for event in entry.events:
                click.echo(f"      {event.version} {event.type} {bytes(event.data).decode()}")
    else:
        click.echo(f"{place} invalid ({record.reason}), {count(record.bytes, 'byte')}: {why_invalid(record, reader)}")


def _say_json(record: SeenRecord, reader: Reader) -> None:
    from shardlog.inspection.records import entries, why_invalid

    shown: dict[str, object] = {
        "shard": record.shard,
        "offset": record.offset,
        "kind": record.kind,
        "bytes": record.bytes,
        "epoch": record.epoch,
        "seq": record.seq,
    }
    if record.claim is not None:
        claim = record.claim
        shown |= {"owner": claim.owner, "address": claim.address, "time": instant(claim.time), "build": claim.build}
    elif record.frame is not None:
        frame = record.frame
        shown |= {"time": instant(frame.time), "inputs": frame.inputs, "entries": [_entry(e) for e in entries(frame)]}
    else:
        shown |= {"reason": record.reason, "why": why_invalid(record, reader)}
    say_json(shown)


def _entry(entry: object) -> object:
    """With the events' fields named: in the journal they are arrays."""
    import msgspec

    shown = msgspec.structs.asdict(entry)  # type: ignore[arg-type]  # a SeenEntry
    shown["events"] = [msgspec.structs.asdict(event) for event in shown["events"]]
    return {name: value for name, value in shown.items() if value not in ("", [], 0) or name == "index"}
