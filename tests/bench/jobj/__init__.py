"""Job J: one job, many contenders, one broker, one run. Start at `tests/bench/README.md`, then `logic`, then `run`."""
