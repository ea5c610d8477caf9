"""``atoll bench``: measure this machine, always beside what Atoll is compared with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from atoll.cli.options import JsonOption
from atoll.cli.output import answers, notes, print_json
from atoll.cli.tables import plain_table
from atoll.errors import InvalidValue

T = TypeVar("T")

app = typer.Typer(help="Measure, side by side with what Atoll is compared with.", no_args_is_help=True)

PgBinOption = Annotated[
    Path | None, typer.Option("--pg-bin", envvar="ATOLL_PG_BIN", metavar="DIR", help="Where Postgres' programs are.")
]


@app.command("ycsb")
def ycsb(
    workload: Annotated[str, typer.Option("--workload", "-w", help="One or more of A, B, C, W.")] = "A",
    clients: Annotated[int, typer.Option(min=1, max=150, help="Closed-loop clients.")] = 64,
    records: Annotated[int, typer.Option(min=100, help="Records loaded on each side.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="Measured seconds per side and workload.")] = 15.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns each side takes.")] = 3,
    pg_bin: PgBinOption = None,
    as_json: JsonOption = False,
) -> None:
    """Atoll embedded, Atoll over gRPC and plain asyncpg on one stock Postgres.

    Zipfian keys, records of 200 bytes, every write flushed on every side. Workloads: A half writes, B 5% writes,
    C reads only, W writes only.
    """
    from atoll.bench.workload import WORKLOADS
    from atoll.bench.ycsb import Plan, run_ycsb

    names = list(dict.fromkeys(workload.upper().replace(",", "")))
    if not names or any(name not in WORKLOADS for name in names):
        raise InvalidValue(f"--workload {workload!r}: use letters of {', '.join(WORKLOADS)}, for instance A or ABC")
    plan = Plan(
        workloads=[WORKLOADS[name] for name in names],
        clients=clients,
        records=records,
        seconds=seconds,
        rounds=rounds,
    )
    with _telling() as tell:
        lines = _run(run_ycsb(plan, pg_bin=pg_bin, tell=tell))
    results = [line.as_dict() for line in lines]
    if as_json:
        print_json({"clients": clients, "records": records, "seconds": seconds, "results": results})
    else:
        answers.print(_ycsb_table(results))
        answers.print("[dim]ratio: operations per second over plain asyncpg's, taken in turns in this run[/]")
        answers.print("[dim]atoll flushes the writes of many clients together, plain asyncpg each by itself[/]")


@app.command("lag")
def lag(
    rate: Annotated[int, typer.Option(min=1, help="Writes per second.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to write.")] = 15.0,
    pg_bin: PgBinOption = None,
    as_json: JsonOption = False,
) -> None:
    """From acknowledged in one region to visible in another, both on this machine, at a fixed rate of writes."""
    from atoll.bench.lag import LagPlan, run_lag

    with _telling() as tell:
        result = _run(run_lag(LagPlan(rate=rate, seconds=seconds), pg_bin=pg_bin, tell=tell)).as_dict()
    if as_json:
        print_json({"rate": rate, "seconds": seconds, **result})
        return
    table = plain_table("", ">p50", ">p99", ">max")
    lags = [f"{result[f'lag_{name}_ms']:.1f} ms" for name in ("p50", "p99", "max")]
    table.add_row("acknowledged here → visible there", *lags)
    table.add_row(
        "write, from the moment it was due",
        f"{result['write_p50_ms']:.1f} ms",
        f"{result['write_p99_ms']:.1f} ms",
        "",
    )
    answers.print(table)
    answers.print(f"[dim]{result['achieved_rate']:,.0f} writes/s of {rate:,} asked for, {result['probes']} probes[/]")
    if result["achieved_rate"] < 0.9 * rate:
        answers.print("[yellow]the rate was not reached: this machine is too busy for it, and the times show that[/]")


def _ycsb_table(results: list[dict[str, Any]]) -> Table:
    table = plain_table("workload", "side", ">ops/s", ">ratio", ">p50", ">p99", ">read p99", ">write p99")
    for row in results:
        times = [f"{row[name]:.2f} ms" for name in ("p50_ms", "p99_ms", "read_p99_ms", "write_p99_ms")]
        table.add_row(
            row["workload"], row["side"], f"{row['operations_per_second']:,.0f}", f"{row['ratio']:.2f}", *times
        )
    return table


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Show what is being done on a terminal; nothing elsewhere."""
    if not notes.is_terminal:
        yield lambda _: None
        return
    with notes.status("starting") as status:
        yield status.update


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On uvloop where there is one: both sides of every comparison gain from it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
