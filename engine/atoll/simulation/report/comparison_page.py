"""The page of a comparison: two configurations side by side on the same seeds, better or worse row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from atoll.simulation.campaign.comparison import Comparison, Row
from atoll.simulation.campaign.measures import Topic, Unit
from atoll.simulation.report.drawing.pairs import pair_of_bars
from atoll.simulation.report.measure_words import chance, difference, judgement, number
from atoll.simulation.report.templating import rendered
from atoll.simulation.report.words import plural
from atoll.simulation.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measure. ``tone`` is ``better``, ``worse`` or empty, of B against A."""

    what: str
    a: str
    b: str
    picture: Markup
    difference: str
    chance: str
    judgement: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The measures of one topic."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one topic came out: rows in which B is better, worse, and neither."""

    title: str
    better: int
    worse: int
    same: int


def render_comparison_page(comparison: Comparison) -> str:
    """The page; the same comparison gives the same text. Rows that are zero on both sides are left out."""
    shown = [row for row in comparison.rows if row.a or row.b]
    broken = sum(found.get(Verdict.VIOLATED, 0) for found in comparison.verdicts.values())
    return rendered(
        "comparison.html.j2",
        comparison=comparison,
        summary=_summary(shown, can_tell=comparison.can_tell),
        tone=_tone(comparison, broken),
        scores=_scores(shown),
        blocks=_blocks(shown),
        verdicts={side.upper(): _verdicts(found) for side, found in comparison.verdicts.items()},
        broken=broken,
    )


def _tone(comparison: Comparison, broken: int) -> Verdict:
    if broken:
        return Verdict.VIOLATED
    return Verdict.VALID if comparison.can_tell else Verdict.UNKNOWN


def _summary(rows: Sequence[Row], *, can_tell: bool) -> str:
    better = Counter(row.better for row in rows)
    clear = better["a"] + better["b"]
    if not rows:
        return "Nothing was measured on either side."
    if not can_tell:
        return "One seed cannot tell a difference from chance: compare with more, --seeds 5."
    if not clear:
        return f"None of {plural(len(rows), 'row')} differs by more than chance."
    of = f"of {plural(len(rows), 'row')}; the others do not differ by more than chance."
    return f"B is better in {better['b']} and worse in {better['a']} {of}"


def _by_topic(rows: Iterable[Row]) -> dict[Topic, list[Row]]:
    found: dict[Topic, list[Row]] = {}
    for row in rows:
        found.setdefault(row.measure.topic, []).append(row)
    return found


def _scores(rows: Sequence[Row]) -> list[Score]:
    scores = []
    for topic, among in _by_topic(rows).items():
        better = Counter(row.better for row in among)
        scores.append(Score(title=topic.title, better=better["b"], worse=better["a"], same=better[""]))
    return scores


def _blocks(rows: Sequence[Row]) -> list[Block]:
    return [Block(title=_title(topic), lines=_lines(among)) for topic, among in _by_topic(rows).items()]


def _title(topic: Topic) -> str:
    wanted = "more" if topic.more_is_better else "less"
    unit = f", {topic.unit.value}" if topic in (Topic.CONFLICTS, Topic.DISCARDED) else ""
    return f"{topic.title}{unit} ({wanted} is better)"


def _lines(rows: Sequence[Row]) -> list[Line]:
    high = max(value for row in rows for value in (row.a or 0.0, row.b or 0.0))
    return [_line(row, high) for row in rows]


def _line(row: Row, high: float) -> Line:
    unit = row.measure.topic.unit
    a, b = number(row.a, unit), number(row.b, unit)
    what = " · ".join(part for part in (row.measure.what, row.measure.quantile, row.measure.situation) if part)
    if unit is Unit.PER_THOUSAND:
        what = f"{what}, {unit.value}"
    return Line(
        what=what,
        a=a,
        b=b,
        picture=pair_of_bars(row.a, row.b, high, f"{what}: A {a}, B {b}"),
        difference=difference(row),
        chance=chance(row),
        judgement=judgement(row),
        tone={"": "", "a": "worse", "b": "better"}[row.better],
    )


def _verdicts(found: Mapping[Verdict, int]) -> str:
    return ", ".join(f"{count:,} {verdict}" for verdict, count in found.items() if count) or "no run"
