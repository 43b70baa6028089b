"""The inputs as a relay uses them: single records fetched again, for what is forwarded and for dead letters."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from shardlog.ports.inputs import Input
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.core import Forward, changed
from shardlog.telemetry.fields import Fields

log = logging.getLogger("shardlog.relay")


class RelayInputs:
    """Inputs by their names. original_bytes_max: how much of a record a dead letter keeps."""

    def __init__(self, inputs: Sequence[Input], original_bytes_max: int) -> None:
        self._inputs = {input.name: input for input in inputs}
        self._original_bytes_max = original_bytes_max

    def fetch(self, forward: Forward) -> bytes:
        """The record that is to be forwarded. Raises InputChanged where the input is not there, or lacks it."""
        try:
            input = self._inputs.get(forward.input)
            value = None if input is None else input.read_again(forward.origin.shard, forward.offset)
        except Exception as error:  # an input is anybody's code; it is asked again later
            raise changed(forward, f"cannot be read ({type(error).__name__}: {error})") from error
        if value is None:
            raise changed(forward, "is not there" if forward.input in self._inputs else "cannot be read: no such input")
        return value

    def complete(self, letter: CommandDeadLetter) -> CommandDeadLetter:
        """The letter with the record that it speaks of, where the input gives it; where it cannot, the log says why."""
        if letter.payload or not letter.input:
            return letter
        name, shard, offset = letter.input, letter.position.shard, letter.input_offset
        try:
            input = self._inputs.get(name)
            value = None if input is None else input.original(shard, offset)
        except Exception:
            about: Fields = {"journal": letter.position.journal, "shard": shard, "input": name}
            text = "input %s, shard %d: the record at offset %d cannot be read again"
            log.exception(text, name, shard, offset, extra=about)
            return letter
        original = None if value is None else bytes(value[: self._original_bytes_max])
        return msgspec.structs.replace(letter, original=original)
