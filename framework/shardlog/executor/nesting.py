"""How deep JSON is nested. A value inside a frame stands some levels deeper than alone, so what can just be read alone
could not be read back; the limit is far below what decoders take."""

from __future__ import annotations

import re

_strings = re.compile(rb'"(?:[^"\\]|\\.)*"')


def is_nested_deeper(data: bytes | memoryview, levels_max: int) -> bool:
    """Whether arrays and objects stand more than `levels_max` levels inside one another. data: JSON."""
    data = bytes(data)
    if data.count(b"[") + data.count(b"{") <= levels_max:
        return False
    level = 0
    for character in _strings.sub(b"", data):
        if character in b"[{":
            level += 1
            if level > levels_max:
                return True
        elif character in b"]}":
            level -= 1
    return False
