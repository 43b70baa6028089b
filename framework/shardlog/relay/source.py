"""One shard as a relay reads it: up to where, and from where it would have to be read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from shardlog.codec.json import NOT_DECODED
from shardlog.journal.reader import FrameTaken, Reader, ReaderState
from shardlog.journal.records import decode_raw_frame
from shardlog.journal.sends import may_concern_a_relay
from shardlog.journal.undecoded import undecoded
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.sends import At
from shardlog.relay.core import Found, FramePlace, read_frame


class _Outstanding(NamedTuple):
    """A frame with sends. before: the reader's state before it. last: by target, the last of its sends."""

    before: Checkpoint
    last: dict[int, At]


class Source:
    """A reader, and the frames whose sends are not all received. Pure: values come in, what is found goes out."""

    def __init__(self, application: Application, reader: Reader) -> None:
        self._application = application
        self._reader = reader
        self._outstanding: deque[_Outstanding] = deque()

    @property
    def shard(self) -> int:
        """Which shard is read."""
        return self._reader.shard

    @property
    def position(self) -> int:
        """The offset to read from."""
        return self._reader.position

    @property
    def state(self) -> ReaderState:
        """What was read."""
        return self._reader.state

    @property
    def checkpoint(self) -> Checkpoint:
        """Where to begin again after a crash: before the first frame whose sends are not all received."""
        return self._outstanding[0].before if self._outstanding else Checkpoint(*self._reader.state)

    def look(self, offset: int, value: bytes) -> Found | None:
        """What the next record holds; None where it is no valid frame, or one that holds nothing for a relay.

        Nothing moves: call `pass_over` once all that has to be made of it is made. A frame whose bytes show that it
        holds nothing is not decoded. Raises UnknownFormat (rule R4) and Diverged (rule R6).
        """
        reader = self._reader
        verdict = reader.judge(offset, value)
        if not isinstance(verdict, FrameTaken) or not may_concern_a_relay(value):
            return None
        try:
            frame = decode_raw_frame(verdict.body)
        except NOT_DECODED as error:
            raise undecoded(reader.shard, offset, verdict.body, (), error) from error
        place = FramePlace(reader.journal, reader.shard, offset, reader.epoch, reader.seq + 1)
        found = read_frame(self._application, place, frame)
        return found if found.sends or found.letters else None

    def pass_over(self, offset: int, value: bytes, found: Found | None) -> None:
        """Move behind the next record. found: what `look` has said of it. Raises as `look` does."""
        if found is not None and found.sends:
            last = {send.target: send.at for send in found.sends}
            self._outstanding.append(_Outstanding(Checkpoint(*self._reader.state), last))
        self._reader.pass_over(offset, value)

    def settle(self, received: Mapping[int, Mapping[int, At]]) -> None:
        """Forget the frames whose sends are all received. received: by target and source shard, the last send."""
        shard = self.shard
        while self._outstanding:
            for target, at in self._outstanding[0].last.items():
                taken = received.get(target, {}).get(shard)
                if taken is None or taken < at:
                    return
            self._outstanding.popleft()
