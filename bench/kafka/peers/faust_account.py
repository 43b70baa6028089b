"""The benchmark's account in faust-streaming, run with the peers' own packages: it knows nothing of shardlog.

`python faust_account.py SETTINGS`: JSON with bootstrap, topic, output, commands, warm_up, directory. Consume, change a
table (in memory, with its changelog topic), produce; exactly once. It prints commands a second, from the command
`warm_up` to the last.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter

import faust
import msgspec

given = json.loads(sys.argv[1])
app = faust.App(
    given["topic"],
    broker=f"kafka://{given['bootstrap']}",
    processing_guarantee="exactly_once",
    store="memory://",
    datadir=given["directory"],
    topic_partitions=1,
    topic_replication_factor=1,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
)
source = app.topic(given["topic"], key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw")
output = app.topic(given["output"], key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw")
balances = app.Table("balances", default=int, partitions=1)
decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


@app.agent(source)
async def handle(stream: faust.Stream[bytes]) -> None:
    """One command after another."""
    seen, began = 0, 0.0
    async for value in stream:
        record = decode(value)
        amount, stream_id = record[13]["amount"], record[2]
        balance = balances[stream_id]
        refused = record[3] == "withdraw" and balance < amount
        if not refused:
            balances[stream_id] = balance + (amount if record[3] == "deposit" else -amount)
        outcome = ["rejected" if refused else "accepted", stream_id, record[4], {"amount": amount}]
        await output.send(key=stream_id, value=encode(outcome))
        seen += 1
        if seen == given["warm_up"]:
            began = perf_counter()
        elif seen == given["commands"]:
            print((seen - given["warm_up"]) / (perf_counter() - began), flush=True)
            os._exit(0)  # the figure is there; ending an app in order takes it a minute


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
