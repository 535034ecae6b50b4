"""`kairos run`: one worker, with its logs, metrics and health."""

from __future__ import annotations

import weakref
from typing import Annotated, Any

import typer

from stream import __version__
from stream.domain.errors import ConfigError
from stream.engine.engine import Engine
from stream.engine.partition import Partition
from stream.packs import loader
from stream.packs.spec import Pack
from stream.shell.cli import collect_rarely, fleet
from stream.shell.cli.options import settings_of
from stream.shell.settings import Settings

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def run(
    ctx: typer.Context,
    level: Annotated[str, typer.Option("--log-level", help=f"Of Kairos itself: {', '.join(LEVELS)}.")] = "INFO",
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that share the work; one a core.")] = 1,
) -> None:
    """Run a worker until it is told to stop; several share the partitions.

    The pack and the topics are checked first. Logs go to stderr as JSON
    lines; /metrics, /healthz and /readyz are served at KAIROS_METRICS_HOST and
    KAIROS_METRICS_PORT. Let a supervisor restart it: a worker that cannot know
    an outcome ends itself with exit code 70 and goes on from its ledger.

    With --workers each process is a worker: KAIROS_INSTANCE_ID gets -0, -1 ...
    behind it, and KAIROS_METRICS_PORT is that of the first, the next has the
    port after it. All end when one does.

    [bold]Examples[/bold]:
      kairos run
      KAIROS_BROKERS=kafka1:9092 KAIROS_PACK=./my_pack kairos run
      KAIROS_METRICS_PORT=0 kairos run     a second one on this machine
      kairos run --workers 2               two at once
    """
    if level not in LEVELS:
        raise typer.BadParameter(f"expected one of {', '.join(LEVELS)}, got {level!r}", param_hint="--log-level")
    settings = settings_of(ctx)
    pack = loader.load(settings.pack)
    demand_topics(settings)
    raise typer.Exit(work(settings, pack, level) if workers == 1 else fleet.run(settings, level, workers, one))


def one(settings: Settings, level: str, place: int) -> int:
    """One of several workers, in a process of its own, which has not come by `main`."""
    pack = loader.load(settings.pack)
    collect_rarely()
    return work(settings, pack, level, place)


def demand_topics(settings: Settings) -> None:
    """Raises ConfigError with every topic that would lose or distort something."""
    from stream.shell.kafka import topics

    faults = topics.check(settings)
    if faults:
        raise ConfigError("the topics are not as they should be\n" + "\n".join(faults))


def work(settings: Settings, pack: Pack, level: str, place: int | None = None) -> int:
    """Put a worker together and run it; its exit code. Among several its log lines say its place."""
    from stream.shell import logs
    from stream.shell.health import Health, serving
    from stream.shell.kafka import app
    from stream.shell.metrics import Metrics, Reports

    metrics, health = Metrics.of(pack, __version__), Health()
    partitions = Partitions(Engine(pack, "live", settings.max_event_bytes))
    metrics.holding(partitions.living)
    logs.configure(level, withheld=metrics.withheld, worker=place)
    with serving(metrics.registry, health, settings.metrics_host, settings.metrics_port) as server:
        host, port = server.address
        logs.logger("stream.worker").info("worker starting", address=host, port=port, pack=pack.spec.name, version=__version__)
        return app.run(settings, partitions, Reports(metrics, health))


class Partitions:
    """Makes the state of journal partitions, and knows which of them are still in use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: dict[int, weakref.ref[Partition]] = {}

    def __call__(self, number: int) -> Any:
        partition = Partition(self._engine, number)
        self._made[number] = weakref.ref(partition)
        return partition

    def living(self) -> list[Partition]:
        """Those that a driver holds. Asked from the server's thread."""
        return [partition for made in list(self._made.values()) if (partition := made()) is not None]
