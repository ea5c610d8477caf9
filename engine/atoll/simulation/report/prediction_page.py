"""The page of a prediction: what a configuration's people would see, and what the figures rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.simulation.campaign.measures import Estimate, Measure, Topic
from atoll.simulation.campaign.prediction import Prediction
from atoll.simulation.report.measure_words import number
from atoll.simulation.report.page_rows import Cell, warmth_of
from atoll.simulation.report.templating import rendered
from atoll.simulation.report.words import NOTHING

WHOLE = "all is well"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRow:
    """One region or pair: median and 99th percentile over all seeds, and between which seeds the latter lies."""

    what: str
    p50: str
    p99: str
    between: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A table of cells with named rows and columns."""

    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def render_prediction_page(prediction: Prediction) -> str:
    """The page; the same prediction gives the same text."""
    return rendered(
        "prediction.html.j2",
        prediction=prediction,
        latencies={topic.title: _latencies(prediction, topic) for topic in (Topic.WRITE_LATENCY, Topic.READ_LATENCY)},
        staleness=_staleness(prediction),
        served={topic.title: _served(prediction, topic) for topic in (Topic.WRITES_SERVED, Topic.READS_SERVED)},
        conflicts=_conflicts(prediction),
        convergence=_latencies(prediction, Topic.CONVERGENCE, quantiles=("", "")),
    )


def _of(prediction: Prediction, topic: Topic) -> Mapping[Measure, Estimate]:
    return {measure: found for measure, found in prediction.estimates.items() if measure.topic is topic}


def _latencies(prediction: Prediction, topic: Topic, quantiles: tuple[str, str] = ("p50", "p99")) -> list[LatencyRow]:
    found = _of(prediction, topic)
    rows = []
    for what in dict.fromkeys(measure.what for measure in found):
        middle, high = (found.get(Measure(topic, what, quantile)) for quantile in quantiles)
        if middle is not None and high is not None:
            between = f"{number(high.low, topic.unit)} - {number(high.high, topic.unit)}"
            p50, p99 = number(middle.mean, topic.unit), number(high.mean, topic.unit)
            rows.append(LatencyRow(what=what, p50=p50, p99=p99, between=between))
    return rows


def _staleness(prediction: Prediction) -> Matrix | None:
    """Readers by origins; the colour is that of the run's page."""
    topic = Topic.STALENESS
    found = _of(prediction, topic)
    pairs = [tuple(measure.what.split(" from ")) for measure in found]
    regions = list(dict.fromkeys(end for pair in pairs for end in pair))
    if not regions:
        return None
    return Matrix(
        corner="reader \\ origin",
        columns=regions,
        rows=[(reader, [_stale_cell(found, reader, origin) for origin in regions]) for reader in regions],
    )


def _stale_cell(found: Mapping[Measure, Estimate], reader: str, origin: str) -> Cell:
    topic, what = Topic.STALENESS, f"{reader} from {origin}"
    middle, high = found.get(Measure(topic, what, "p50")), found.get(Measure(topic, what, "p99"))
    if middle is None or high is None:
        return Cell(words="" if reader == origin else NOTHING, warmth="0", told="")
    words = f"{number(middle.mean, topic.unit)} / {number(high.mean, topic.unit)}"
    told = f"{what}: p99 {number(high.low, topic.unit)} to {number(high.high, topic.unit)} over the seeds"
    return Cell(words=words, warmth=warmth_of(high.mean / 1_000), told=told)


def _served(prediction: Prediction, topic: Topic) -> Matrix | None:
    """Situations by the region asked; the less is served, the stronger the colour."""
    found = _of(prediction, topic)
    if not found:
        return None
    regions = list(dict.fromkeys(measure.what for measure in found))
    situations = dict.fromkeys(["", *(measure.situation for measure in found)])
    rows = [
        (
            situation or WHOLE,
            [_served_cell(found.get(Measure(topic, region, situation=situation))) for region in regions],
        )
        for situation in situations
    ]
    return Matrix(corner="while", columns=regions, rows=rows)


def _served_cell(found: Estimate | None) -> Cell:
    if found is None:
        return Cell(words=NOTHING, warmth="0", told="nobody asked")
    unit = Topic.WRITES_SERVED.unit
    told = f"{number(found.low, unit)} to {number(found.high, unit)} over the seeds"
    return Cell(words=number(found.mean, unit), warmth=f"{0.62 * (1 - found.mean):.2f}", told=told)


def _conflicts(prediction: Prediction) -> list[tuple[str, str, str]]:
    """Field, met and discarded, of a thousand writes of the field."""
    rows = []
    for measure, met in _of(prediction, Topic.CONFLICTS).items():
        discarded = prediction.estimates.get(Measure(Topic.DISCARDED, measure.what))
        rows.append((measure.what, f"{met.mean:.3g}", f"{discarded.mean:.3g}" if discarded else NOTHING))
    return rows
