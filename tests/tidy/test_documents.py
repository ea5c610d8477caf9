"""Links in the documents lead somewhere, and no tracked file names this machine or a private registry."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.simulations.mutants.registry import MUTANTS
from tests.tidy.source import ROOT, engine_sources

from atoll.simulation.checkers.black_box import CHECKERS
from atoll.simulation.checkers.grey_box import CHECKS

LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
OUTSIDE = ("http://", "https://", "mailto:")

PROMISE = re.compile(r"[Pp]romises? (?P<first>I\d+)((?:, (?:and )?| and )I\d+)*")
NUMBER = re.compile(r"I\d+")

MACHINE = re.compile(
    r"(?<![\w.$}])/(?:work|root|home/[a-z]\w*|Users/\w+|tmp/\w+)/"  # somebody's folders
    r"|(?i:index[-_]url\s*=|find-links\s*=|GOPROXY|registry-url)"
    r"|https?://(?:\d{1,3}\.){3}\d{1,3}[:/](?!.*127\.0\.0\.1)"
)
LOCAL = re.compile(r"https?://127\.0\.0\.1")


def tracked_files() -> list[Path]:
    """What git would ship. Without git (an unpacked release) there is nothing to look at."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git work tree")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown reader makes of the headings."""
    titles = [match["title"] for match in HEADING.finditer(CODE.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(documents: Iterable[Path]) -> list[str]:
    """Complaints about relative links whose file or heading does not exist."""
    complaints = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for match in LINK.finditer(CODE.sub("", text)):
            target = match["target"]
            if not target.startswith(OUTSIDE) and not _resolves(document, target):
                complaints.append(f"{document.name}: the link {target!r} leads nowhere: mend or remove it")
    return complaints


def _resolves(document: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = (document.parent / name).resolve() if name else document
    if not file.exists():
        return False
    return not anchor or file.suffix != ".md" or anchor in anchors(file.read_text(encoding="utf-8"))


def check_machine(name: str, text: str) -> list[str]:
    """Complaints about paths and registries that exist on one machine only."""
    return [
        f"{name}:{number}: {match[0]!r} belongs to one machine: use a relative path or a user's setting"
        for number, line in enumerate(text.splitlines(), 1)
        if (match := MACHINE.search(line)) and not LOCAL.search(match[0])
    ]


def check_promises(text: str, listed: set[str]) -> list[str]:
    """Complaints about citations of promises that docs/invariants.md does not list."""
    cited = {number for match in PROMISE.finditer(text) for number in NUMBER.findall(match[0])}
    return [f"{number} is cited and not in docs/invariants.md" for number in sorted(cited - listed)]


def listed_promises() -> set[str]:
    headings = HEADING.findall((ROOT / "docs" / "invariants.md").read_text(encoding="utf-8"))
    return {number for heading in headings for number in NUMBER.findall(heading)}


def test_fourteen_promises_are_listed() -> None:
    assert listed_promises() == {f"I{number}" for number in range(1, 15)}


def test_every_cited_promise_is_listed() -> None:
    texts = "\n".join(source.text for source in engine_sources())
    assert PROMISE.search(texts), "the citations have another form now: mend the pattern"
    complaints = check_promises(texts, listed_promises())
    assert not complaints, "\n".join(complaints)


def test_citation_of_an_unknown_promise_is_found() -> None:
    assert check_promises("kept (promise I3), and promises I1, I15 and I16", {"I1", "I3"}) == [
        "I15 is cited and not in docs/invariants.md",
        "I16 is cited and not in docs/invariants.md",
    ]


def promise_sections() -> dict[str, str]:
    """What docs/invariants.md says under each promise, by number."""
    text = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
    return {part.split(" ", 1)[0]: part for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]}


def test_every_mutant_stands_under_the_promise_that_it_breaks() -> None:
    sections = promise_sections()
    missing = [
        f"{mutant.name} breaks {mutant.promise}, and docs/invariants.md does not name it there"
        for mutant in MUTANTS.values()
        if f"`{mutant.name}`" not in sections[mutant.promise]
    ]
    assert not missing, "\n".join(missing)


def test_every_checker_has_its_row_in_the_simulators_page() -> None:
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    names = [*CHECKERS, *(check.name for check in CHECKS)]
    missing = [
        f"{name}: docs/simulation.md does not say what it verifies" for name in names if f"| [{name}](" not in text
    ]
    assert not missing, "\n".join(missing)


def test_links_resolve() -> None:
    complaints = check_links(file for file in tracked_files() if file.suffix == ".md")
    assert not complaints, "\n".join(complaints)


def test_no_tracked_file_names_one_machine() -> None:
    complaints = []
    for file in tracked_files():
        if file == Path(__file__):
            continue  # it holds the planted ones
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        complaints += check_machine(str(file.relative_to(ROOT)), text)
    assert not complaints, "\n".join(complaints)


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading: with marks\n", encoding="utf-8")
    document = tmp_path / "here.md"
    document.write_text(
        "# Here\n[a](there.md) [b](there.md#a-heading-with-marks) [c](#here) [d](https://example.org/x) "
        "![e](gone.svg)\n"
        "[f](nowhere.md) [g](there.md#no-such) [h](#nor-this)\n```\n[i](in-code.md)\n```\n",
        encoding="utf-8",
    )
    broken = [complaint.split("'")[1] for complaint in check_links([document])]
    assert broken == ["gone.svg", "nowhere.md", "there.md#no-such", "#nor-this"]


@pytest.mark.parametrize(
    "line",
    [
        # Joined here, so that the file does not hold what it forbids.
        "/".join(["see ", "work", "project", "docs"]),
        "/".join(["open('", "root", "x')"]),
        "/".join(["", "home", "ada", "project"]),
        "PIP_INDEX_URL=https://x",
        "index-url = https://x",
        "https://10.1.2.3:8080/simple",
    ],
)
def test_machine_path_or_registry_is_found(line: str) -> None:
    assert len(check_machine("file", line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "state in .atoll/ring.json",
        "/var/lib/atoll",
        "http://127.0.0.1:7080/metrics",
        "/".join(["framework", "root", "x"]),
        "/".join(["$HOME", "work", "x"]),
    ],
)
def test_harmless_line_is_left_alone(line: str) -> None:
    complaints = check_machine("file", line)
    assert not complaints, "\n".join(complaints)
