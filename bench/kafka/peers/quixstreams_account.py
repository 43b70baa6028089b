"""The benchmark's account in quixstreams, run with the peers' own packages: it knows nothing of shardlog.

`python quixstreams_account.py SETTINGS`: JSON with bootstrap, topic, output, commands, warm_up, directory. Consume,
change state (RocksDB, with its changelog topic), produce; exactly once. It prints commands a second, from the command
`warm_up` to the last.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

import msgspec
from quixstreams import Application, State


def main() -> None:
    """Run to the last command."""
    given = json.loads(sys.argv[1])
    app = Application(
        given["bootstrap"],
        consumer_group=given["topic"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=given["directory"],
        loglevel="ERROR",
    )
    source = app.topic(given["topic"], value_deserializer="bytes", key_deserializer="str")
    output = app.topic(given["output"], value_serializer="bytes", key_serializer="str")
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    seen, times = 0, [0.0, 0.0]

    def handle(value: bytes, state: State) -> bytes:
        nonlocal seen
        record = decode(value)
        amount = record[13]["amount"]
        balance = state.get("balance", 0)
        refused = record[3] == "withdraw" and balance < amount
        if not refused:
            balance += amount if record[3] == "deposit" else -amount
            state.set("balance", balance)
        seen += 1
        if seen == given["warm_up"]:
            times[0] = perf_counter()
        times[1] = perf_counter()
        return encode(["rejected" if refused else "accepted", record[2], record[4], {"amount": amount}])

    frame = app.dataframe(source).apply(handle, stateful=True).to_topic(output)
    app.run(frame, count=given["commands"], timeout=120, collect=False)
    if seen < given["commands"]:
        sys.exit(f"quixstreams handled {seen} of {given['commands']} commands")
    print((given["commands"] - given["warm_up"]) / (times[1] - times[0]))


if __name__ == "__main__":
    main()
