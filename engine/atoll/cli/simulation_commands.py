"""What the commands of ``atoll simulate`` do once their words are understood; each returns its exit code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from atoll.cli.exit_codes import ExitCode
from atoll.cli.interruption import Interrupted
from atoll.cli.output import answers, doing, print_json, report
from atoll.cli.simulation_json import comparison_json, prediction_json, shrunk_json, sweep_json
from atoll.cli.simulation_progress import counting
from atoll.cli.simulation_reports import Pages, check_writable, described, run_name, tell_page, write_text
from atoll.cli.simulation_view import comparison_view, prediction_view, shrunk_view, sweep_view
from atoll.configuration import load
from atoll.configuration.problems import unknown
from atoll.errors import InvalidConfiguration, InvalidValue
from atoll.simulation.campaign import comparison, prediction, runs, shrinking, sweep
from atoll.simulation.campaign.case import Case
from atoll.simulation.campaign.isolated import Isolated, RunLost
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.selection import Selection, configuration_fingerprint, select_for, select_one
from atoll.simulation.campaign.token import ReplayToken
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.real.calibration import calibrate
from atoll.simulation.report.comparison_page import render_comparison_page
from atoll.simulation.report.page import render_page
from atoll.simulation.report.prediction_page import render_prediction_page
from atoll.simulation.report.sweep_page import render_sweep_page
from atoll.simulation.report.terminal import render_run
from atoll.simulation.report.words import plural
from atoll.simulation.scenario.reading import load_scenario, read_scenario
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.scenario.toml import toml_value
from atoll.simulation.scenario.writing import write_scenario
from atoll.simulation.verdict import Verdict

CODES = {Verdict.VALID: ExitCode.OK, Verdict.VIOLATED: ExitCode.NO, Verdict.UNKNOWN: ExitCode.UNKNOWN}


def pages(report_file: str | None, *, no_report: bool = False) -> Pages:
    """What ``--report`` and ``--no-report`` come to. What ends in ``/`` is a folder."""
    if report_file is not None and no_report:
        raise InvalidValue("--report and --no-report exclude each other: give one of the two")
    if not report_file:
        return Pages(wanted=not no_report)
    return Pages(Path(report_file), in_folder=report_file.endswith("/"))


def recall(token: str, scenario: Path | None, config: Path | None, *, anyway: bool) -> tuple[Selection, Job]:
    """The run that a token names, here. Raises :class:`InvalidConfiguration` where it would be another."""
    parsed = ReplayToken.parse(token)
    parsed.check_version()
    selection = select_for(parsed, scenario, config)
    (found,) = selection.scenarios
    parsed.check(found, configuration_fingerprint(config), anyway=anyway)
    return selection, Job(found, parsed.seed)


def run_one(selection: Selection, job: Job, pages: Pages, *, as_json: bool) -> ExitCode:
    """One run, its verdict and then its page."""
    pages.check()
    try:
        with doing(f"{job.scenario.name}, seed {job.seed}"), Isolated(runs.run_simulated) as run:
            result = run(job.scenario, job.seed, record=pages.wanted)
    except RunLost as lost:
        report("unknown", str(lost), as_json=as_json)
        return ExitCode.UNKNOWN
    replay = selection.replay(job)
    if as_json:
        print_json(described(result, replay, pages.write_run(result, replay)))
    else:
        answers.print(render_run(result, replay), crop=False)
        tell_page(pages.write_run(result, replay))
    return CODES[result.verdict]


def run_real(job: Job, pages: Pages, *, as_json: bool) -> ExitCode:
    """One run on real processes beside its simulation: its verdict, its page, and how near the prediction was.

    What the processes leave on disk is kept if a promise was broken."""
    pages.check()
    folder = Path(tempfile.mkdtemp(prefix="atoll-real-"))
    keep = False
    try:
        with doing(f"{job.scenario.name}, seed {job.seed}, simulated and on real processes"):
            found = calibrate(job.scenario, job.seed, directory=folder / "ring")
        result = found.measured
        keep = result.verdict is Verdict.VIOLATED
        kept = str(folder) if keep else None
        if not as_json:
            answers.print(render_run(result))
            answers.print(found.table())
        page = pages.write(f"{run_name(result)}-real", render_page(result)) if pages.wanted else None
        if as_json:
            print_json({**described(result, "", page), "calibration": found.as_json(), "kept": kept})
        else:
            tell_page(page)
            if keep:
                answers.print(f"[dim]kept[/]  {kept}: logs and databases", soft_wrap=True)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return CODES[result.verdict]


def run_many(
    selection: Selection, jobs: Sequence[Job], pages: Pages, *, processes: int, fail_fast: bool, as_json: bool
) -> ExitCode:
    """A sweep, its verdict, and a page of the first failure."""
    pages.check()
    with counting("simulating") as count:
        result = sweep.sweep(
            jobs,
            processes=processes,
            run=runs.run_simulated,
            fail_fast=fail_fast,
            tell=lambda progress: count(progress.done, progress.planned, _said(progress)),
        )
    if not as_json:
        answers.print(sweep_view(result, selection.replay), crop=False)
    page = (
        pages.write(f"sweep-{selection.label}", render_sweep_page(result, selection.replay)) if pages.wanted else None
    )
    failure = _page_of_first_failure(selection, result, page)
    if as_json:
        print_json(sweep_json(result, selection.replay, page, failure))
    else:
        tell_page(page)
        tell_page(failure, "page of the first failure")
    if result.stopped == "interrupted" and not as_json:
        raise Interrupted(f"{len(result.outcomes):,} of {plural(result.planned, 'run')} had ended")
    return ExitCode.INTERRUPTED if result.stopped == "interrupted" else CODES[result.verdict]


def _said(progress: sweep.Progress) -> str:
    parts = [f"{progress.violated:,} violated"] if progress.violated else []
    parts += [f"{progress.unknown:,} unknown"] if progress.unknown else []
    return f"simulating: {', '.join(parts)}" if parts else "simulating"


def _page_of_first_failure(selection: Selection, result: sweep.SweepResult, page: Path | None) -> Path | None:
    """Run the first failure once more, recorded, for a page beside the sweep's."""
    if page is None or not result.violated or result.stopped == "interrupted":
        return None
    job = result.violated[0].job
    try:
        with doing("drawing the first failure"), Isolated(runs.run_simulated) as run:
            again = run(job.scenario, job.seed, record=True)
    except RunLost:
        return None
    return Pages(page.parent).write_run(again, selection.replay(job))


# -- shrinking ----------------------------------------------------------------------------------------------------


def shrink(job: Job, out: Path | None, budget: shrinking.Budget, *, as_json: bool) -> ExitCode:
    """Shrink, write the minimal scenario, and make sure that the file fails by itself."""
    file = out or Path(f"{job.scenario.name}-{job.seed}-minimal.toml")
    if file.suffix != ".toml":
        raise InvalidValue(f"--out {file}: a scenario's file ends in .toml")
    check_writable(file)
    case = Case.of_seed(job.scenario, job.seed)
    with Isolated(runs.run_simulated) as run:
        shrunk = _shrunk(case, run, budget, as_json=as_json)
        if shrunk is None:
            return ExitCode.UNKNOWN
        write_text(file, write_scenario(shrunk.smallest.as_scenario(_story(shrunk))))
        fails = _fails_by_itself(file, shrunk, run)
    if as_json:
        print_json({**shrunk_json(shrunk, file), "fails_by_itself": fails})
    else:
        answers.print(shrunk_view(shrunk))
        answers.print(f"[dim]file[/]  {file}: [bold]atoll simulate run {file}[/]", soft_wrap=True)
        if not fails:
            answers.print("[yellow]the file does not fail by itself; please report it with its token[/]")
    return ExitCode.OK if fails else ExitCode.NO


def _shrunk(case: Case, run: Isolated, budget: shrinking.Budget, *, as_json: bool) -> shrinking.Shrunk | None:
    try:
        with counting("reproducing") as count:
            return shrinking.shrink(
                case,
                run,
                budget=budget,
                tell=lambda now: count(now.runs, budget.runs_max, f"{now.doing}: {shrinking.size_of(now.smallest)}"),
            )
    except shrinking.CannotShrink as error:
        raise InvalidConfiguration(f"{error}: there is nothing to shrink") from error
    except RunLost as lost:
        report("unknown", str(lost), as_json=as_json)
        return None


def _story(shrunk: shrinking.Shrunk) -> str:
    original = shrunk.original
    return f"The least of {original.scenario.name}, seed {original.seed}, that ends with: {shrunk.failure}."


def _fails_by_itself(file: Path, shrunk: shrinking.Shrunk, run: Isolated) -> bool:
    with doing("trying the file"):
        try:
            return shrunk.failure.among(run(load_scenario(file), shrunk.smallest.seed))
        except RunLost:
            return False


# -- predictions --------------------------------------------------------------------------------------------------


def to_predict(scenario: str | None, config: Path | None, latency: Path | None, places: Sequence[str]) -> Scenario:
    """The scenario to predict for: one that is named, or one that is made around a configuration."""
    if scenario is not None:
        if latency is not None or places:
            raise InvalidValue(
                "--latency and --place go without a scenario: write them into its file, under [network]"
            )
        return select_one(scenario, config)
    if config is None:
        raise InvalidValue("predict for what? name a scenario, or give your configuration with --config atoll.toml")
    given = _given_places(places)
    _check_places(config, latency, given)
    return read_scenario(_around(latency, given), config.stem, file=Path("predict.toml"), configuration=config)


def _given_places(pairs: Sequence[str]) -> dict[str, str]:
    given = {}
    for pair in pairs:
        region, sign, place = pair.partition("=")
        if not (region and sign and place):
            raise InvalidValue(f"--place {pair!r} is not REGION=PLACE; for example: --place eu=frankfurt")
        given[region] = place
    return given


def _check_places(config: Path, latency: Path | None, given: Mapping[str, str]) -> None:
    """Raises :class:`InvalidValue`, in words of the command line, unless every region is at a known place."""
    table = LatencyTable.built_in() if latency is None else LatencyTable.read(latency)
    regions = load(config).settings.regions
    for region, place in given.items():
        if region not in regions:
            raise InvalidValue(f"--place {region}={place}: {unknown('region', region, regions)}")
        if place not in table.places:
            raise InvalidValue(f"--place {region}={place}: {unknown('place', place, table.places)}")
    if lost := [region for region in regions if region not in given and region not in table.places]:
        say = " ".join(f"--place {region}=PLACE" for region in lost)
        raise InvalidValue(
            f"where {'is' if len(lost) == 1 else 'are'} {', '.join(lost)}? say {say}; places in {table.name}: "
            f"{', '.join(table.places)}"
        )


def _around(latency: Path | None, places: Mapping[str, str]) -> str:
    """A scenario of no story: traffic of every kind on the ring of a configuration."""
    lines = ["[network]"]
    if latency is not None:
        lines.append(f"latency = {toml_value(str(latency.resolve()))}")
    lines.append("[network.locations]")
    lines += [f"{toml_value(region)} = {toml_value(place)}" for region, place in places.items()]
    return "\n".join(lines) + "\n"


def predict(scenario: Scenario, seeds: Sequence[int], pages: Pages, *, processes: int, as_json: bool) -> ExitCode:
    """Predict and show."""
    pages.check()
    with counting("simulating") as count:
        found = prediction.predict(
            scenario,
            seeds,
            processes=processes,
            run=runs.run_simulated,
            tell=lambda done, planned: count(done, planned, ""),
        )
    if not as_json:
        answers.print(prediction_view(found))
    page = pages.write(f"predict-{scenario.name}", render_prediction_page(found)) if pages.wanted else None
    if as_json:
        print_json({**prediction_json(found), "page": None if page is None else str(page)})
    else:
        tell_page(page)
    return ExitCode.OK if found.estimates else ExitCode.UNKNOWN


def compare(
    sides: tuple[Scenario, Scenario],
    names: tuple[str, str],
    seeds: Sequence[int],
    pages: Pages,
    *,
    processes: int,
    as_json: bool,
) -> ExitCode:
    """Compare and show. What is compared is not judged: the exit code says that it was done."""
    pages.check()
    a, b = (replace(side, name=name) for side, name in zip(sides, names, strict=True))
    with counting("simulating") as count:
        found = comparison.compare(
            a,
            b,
            seeds,
            processes=processes,
            run=runs.run_simulated,
            tell=lambda done, planned: count(done, planned, ""),
        )
    name = "-".join(("compare", *(Path(side).stem for side in names)))
    if not as_json:
        answers.print(comparison_view(found))
    page = pages.write(name, render_comparison_page(found)) if pages.wanted else None
    if as_json:
        print_json({**comparison_json(found), "page": None if page is None else str(page)})
    else:
        tell_page(page)
    return ExitCode.OK if found.rows else ExitCode.UNKNOWN
