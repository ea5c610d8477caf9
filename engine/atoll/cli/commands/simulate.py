"""``atoll simulate``: break a ring in every way, on one machine, and see what holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from atoll.cli.options import JsonOption
from atoll.cli.output import answers, notes, print_json
from atoll.errors import InvalidValue

SEEDS_MAX = 10_000_000
"""Seeds of one sweep. Larger: the list of them no longer fits in memory."""

app = typer.Typer(
    help="Run your own ring through cut cables, lost regions and wrong clocks, on simulated machines.",
    epilog=(
        "[bold]Try[/]  atoll simulate list  ·  atoll simulate run calm-sea  ·  atoll simulate run fast --seeds 200"
        "  ·  atoll simulate predict --config atoll.toml"
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

ConfigurationOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Your atoll.toml: its ring replaces the scenario's own."),
]
ScenarioOption = Annotated[
    Path | None,
    typer.Option("--scenario", metavar="FILE", help="The scenario's file, if it does not come with Atoll."),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=256, help="Processes at work.", show_default="cores")
]
AnywayOption = Annotated[
    bool, typer.Option("--anyway", help="Try although source code or Python differ.", show_default=False)
]
ReportOption = Annotated[
    str | None,
    typer.Option(
        "--report", metavar="FILE", help="The HTML page, or its folder. Default: a file in simulation-reports/."
    ),
]
NoReportOption = Annotated[bool, typer.Option("--no-report", help="Write no HTML page.", show_default=False)]
TokenArgument = Annotated[str, typer.Argument(help="The word that begins with r1: in a run's output.")]

CORES = len(os.sched_getaffinity(0))


@app.command("run")
def run(
    scenarios: Annotated[
        list[str], typer.Argument(help="Names, files, a group ([bold]fast[/], slow, rare) or [bold]all[/].")
    ],
    seed: Annotated[int | None, typer.Option("--seed", help="Run this seed.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, max=SEEDS_MAX, help="Sweep: so many runs, dealt to the scenarios in turn."),
    ] = None,
    first: Annotated[int | None, typer.Option("--first", help="The first seed of a sweep. Default: 1.")] = None,
    config: ConfigurationOption = None,
    jobs: JobsOption = CORES,
    report: ReportOption = None,
    no_report: NoReportOption = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End a sweep at its first violation.", show_default=False)
    ] = False,
    real: Annotated[
        bool,
        typer.Option(
            "--real", help="On real processes and Postgres servers of this machine, in real time.", show_default=False
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run scenarios and judge them: exit code 0 valid, 1 violated, 3 unknown, 2 bad input.

    [bold]atoll simulate run calm-sea[/] runs one seed and writes a page; the same seed gives the same run, always.

    [bold]atoll simulate run fast --seeds 1000 --jobs 2[/] sweeps: seeds that once failed come first, one run in
    twenty is repeated to prove that runs are deterministic, and the first failure gets a page and a token.

    [bold]atoll simulate run my.toml --config atoll.toml --seed 42[/] tries a story of yours on your own ring.

    [bold]atoll simulate run calm-sea --real[/] does the same to real processes, and shows how near a simulation is.
    """
    from atoll.cli import simulation_commands as commands
    from atoll.simulation.campaign.seeds import Job, deal
    from atoll.simulation.campaign.selection import FIRST_SEED, default_seed, select

    _check_seeds(seed, seeds, first)
    pages = commands.pages(report, no_report=no_report)
    selection = select(scenarios, config)
    for text in selection.left_out:
        notes.print(f"[yellow]left out[/]  {text}", soft_wrap=True)
    if seeds is None and len(selection.scenarios) == 1:
        (scenario,) = selection.scenarios
        job = Job(scenario, default_seed(scenario) if seed is None else seed)
        if real:
            raise typer.Exit(commands.run_real(job, pages, as_json=as_json))
        raise typer.Exit(commands.run_one(selection, job, pages, as_json=as_json))
    if real:
        raise InvalidValue("--real runs one scenario with one seed: it takes as long as the story does")
    if seeds is None:
        work = [Job(each, default_seed(each) if seed is None else seed) for each in selection.scenarios]
    else:
        begin = FIRST_SEED if first is None else first
        work = deal(selection.scenarios, range(begin, begin + seeds))
    code = commands.run_many(selection, work, pages, processes=jobs, fail_fast=fail_fast, as_json=as_json)
    raise typer.Exit(code)


@app.command("replay")
def replay(
    token: TokenArgument,
    scenario: ScenarioOption = None,
    config: ConfigurationOption = None,
    report: ReportOption = None,
    anyway: AnywayOption = False,
    as_json: JsonOption = False,
) -> None:
    """Repeat a run exactly, and write its page with a timeline around the violation.

    [bold]atoll simulate replay r1:0.1.0:3f9c2e81:3.11:calm-sea:9a7c12d0:42:93[/]

    A token of another version, scenario or configuration is refused: it would be another run.
    """
    from atoll.cli import simulation_commands as commands

    selection, job = commands.recall(token, scenario, config, anyway=anyway)
    raise typer.Exit(commands.run_one(selection, job, commands.pages(report), as_json=as_json))


@app.command("shrink")
def shrink(
    token: TokenArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Default: NAME-SEED-minimal.toml, here.")
    ] = None,
    scenario: ScenarioOption = None,
    config: ConfigurationOption = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Most runs it may take.")] = 600,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="Longest it may take.")] = 900.0,
    anyway: AnywayOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the smallest scenario that fails in the same way, and write it to a file that fails by itself.

    [bold]atoll simulate shrink r1:… --out lost-write.toml[/], then [bold]atoll simulate run lost-write.toml[/].

    Ctrl-C ends it with the smallest found so far.
    """
    from atoll.cli import simulation_commands as commands
    from atoll.simulation.campaign.shrinking import Budget

    _, job = commands.recall(token, scenario, config, anyway=anyway)
    budget = Budget(runs_max=runs, seconds_max=seconds)
    raise typer.Exit(commands.shrink(job, out, budget, as_json=as_json))


@app.command("list")
def list_scenarios(
    group: Annotated[str | None, typer.Option("--group", "-g", help="fast, slow or rare.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The scenarios that come with Atoll, each a story with a name."""
    from atoll.cli.simulation_json import scenario_json
    from atoll.cli.simulation_view import scenarios_table
    from atoll.simulation.campaign.selection import group_named, library

    found = library(None if group is None else group_named(group))
    if as_json:
        print_json([scenario_json(each) for each in found])
    else:
        answers.print(scenarios_table(found))


@app.command("compare")
def compare(
    a: Annotated[str, typer.Argument(help="A scenario; with [bold]--scenario[/] a configuration.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="A and B are two atoll.toml: run this on both.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=10_000, help="Seeds for each side.")] = 10,
    first: Annotated[int, typer.Option("--first", help="The first of them.")] = 1,
    jobs: JobsOption = CORES,
    report: ReportOption = None,
    no_report: NoReportOption = False,
    as_json: JsonOption = False,
) -> None:
    """Two placements, or two merge policies, side by side on the same seeds.

    [bold]atoll simulate compare lww.toml mv.toml --seeds 20[/] takes two scenarios.

    [bold]atoll simulate compare now.toml then.toml --scenario atlantic-cable-cut[/] takes two configurations.

    The difference is taken seed by seed, and marked where it exceeds the spread over the seeds.
    """
    from atoll.cli import simulation_commands as commands
    from atoll.simulation.campaign.selection import select_one

    one = select_one(a) if scenario is None else select_one(scenario, Path(a))
    other = select_one(b) if scenario is None else select_one(scenario, Path(b))
    names = (a, b) if scenario is not None or one.name == other.name else (one.name, other.name)
    pages = commands.pages(report, no_report=no_report)
    wanted = range(first, first + seeds)
    raise typer.Exit(commands.compare((one, other), names, wanted, pages, processes=jobs, as_json=as_json))


@app.command("predict")
def predict(
    scenario: Annotated[
        str | None, typer.Argument(help="A scenario, for its traffic. Default: some of every kind.")
    ] = None,
    config: ConfigurationOption = None,
    latency: Annotated[
        Path | None, typer.Option("--latency", metavar="CSV", help="Your own round trips; without a scenario.")
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option("--place", metavar="REGION=PLACE", help="Where a region is; without a scenario."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=10_000, help="Seeds for each situation.")] = 3,
    first: Annotated[int, typer.Option("--first", help="The first of them.")] = 1,
    jobs: JobsOption = CORES,
    report: ReportOption = None,
    no_report: NoReportOption = False,
    as_json: JsonOption = False,
) -> None:
    """What your ring will feel like: latency, staleness, conflicts, and what is served when a region is lost.

    [bold]atoll simulate predict --config atoll.toml --place eu=frankfurt --place us=dallas[/]

    [bold]atoll simulate predict my-shop.toml --config atoll.toml --seeds 10[/]

    Runs the engine itself on simulated links and disks: the limits of that are printed with the figures.
    """
    from atoll.cli import simulation_commands as commands

    chosen = commands.to_predict(scenario, config, latency, place or [])
    pages = commands.pages(report, no_report=no_report)
    wanted = range(first, first + seeds)
    raise typer.Exit(commands.predict(chosen, wanted, pages, processes=jobs, as_json=as_json))


def _check_seeds(seed: int | None, seeds: int | None, first: int | None) -> None:
    if seed is not None and seeds is not None:
        raise InvalidValue("--seed runs one seed and --seeds many: give one of the two")
    if first is not None and seeds is None:
        raise InvalidValue("--first is where --seeds begins: say how many with --seeds, or name one with --seed")
