"""`python -m bench.kafka.phases SETTINGS`: an executor process that says where the time of its start goes.

It is started with the clock's time in the environment variable BEGAN, and runs what `shardlog serve executor` runs; it
notes when the parts of that are entered and left.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

BEGAN = float(os.environ["BEGAN"])
INTERPRETER = perf_counter()


def main() -> None:
    """Serve, say the phases once it does, and go on until killed."""
    from shardlog.cli.serve.serving import begun

    command = perf_counter()
    loaded, application = begun(Path(sys.argv[1]))
    settings = perf_counter()
    from shardlog.executor.mode import Mode
    from shardlog.executor.shard import ShardExecutor
    from shardlog.wiring.kafka import executor

    imported = perf_counter()
    left: dict[str, float] = {}
    _note(executor, "kafka_inputs", left)
    modes: dict[Mode, float] = {}

    def changed(self: ShardExecutor, name: str, value: Any) -> None:
        if name == "mode":
            modes[value] = perf_counter()
        object.__setattr__(self, name, value)

    ShardExecutor.__setattr__ = changed  # type: ignore[method-assign, assignment]  # a mode is what a phase begins with
    process = executor.ExecutorProcess(loaded.settings, application, 0)

    def serves(_serving: object) -> None:
        now = perf_counter()
        phases = {
            "interpreter_s": INTERPRETER - BEGAN,
            "imports_s": command - INTERPRETER + imported - settings,
            "settings_and_application_s": settings - command,
            "control_and_topics_s": left["kafka_inputs entered"] - imported,
            "inputs_s": left["kafka_inputs left"] - left["kafka_inputs entered"],
            "replay_s": modes[Mode.CLAIMING] - modes[Mode.REPLAYING],
            "claim_s": modes[Mode.SERVING] - modes[Mode.CLAIMING],
            "announcement_s": now - modes[Mode.SERVING],
        }
        print(json.dumps({"phases": phases}), flush=True)

    process.run(serves)


def _note(module: Any, name: str, left: dict[str, float]) -> None:
    function: Callable[..., Any] = getattr(module, name)

    def noted(*arguments: Any, **options: Any) -> Any:
        left[f"{name} entered"] = perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            left[f"{name} left"] = perf_counter()

    setattr(module, name, noted)


if __name__ == "__main__":
    main()
