"""A token names one run: it reads back as it was written, and refuses every other run in one sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation.campaign.worlds import scenario

from atoll import __version__
from atoll.cli.commands import simulate
from atoll.errors import InvalidConfiguration
from atoll.simulation.campaign import fingerprints, token
from atoll.simulation.campaign.token import ReplayToken
from atoll.simulation.network.latency import LatencyTable

TOKEN = ReplayToken.of(scenario(), 42)


@given(st.integers(), st.text(min_size=1), st.sampled_from(["", "5512ab00"]))
def test_token_reads_back_as_it_was_written(seed: int, name: str, configuration: str) -> None:
    token = replace(TOKEN, seed=seed, scenario=name, configuration=configuration)
    assert ReplayToken.parse(str(token)) == token


def test_token_is_one_short_word_that_shells_leave_alone() -> None:
    text = str(TOKEN)
    assert text.startswith(f"r1:{__version__}:")
    assert ":cable-cut:" in text
    assert len(text) < 80
    assert not set(text) & set(" \"'$&|;<>()*?`\\!#~")


@pytest.mark.parametrize("text", ["", "hello", "42", "cable-cut", "x1:0:1:2:3:4:5:6", "r:1", "rx:2"])
def test_garbage_is_called_no_token(text: str) -> None:
    with pytest.raises(InvalidConfiguration, match="is no replay token: copy the word that begins with r1:"):
        ReplayToken.parse(text)


def test_token_of_a_later_form_names_both_forms() -> None:
    with pytest.raises(InvalidConfiguration, match=r"form r2, and this Atoll .* reads r1"):
        ReplayToken.parse(str(TOKEN).replace("r1:", "r2:"))


def test_token_that_lost_or_changed_a_character_is_refused() -> None:
    text = str(TOKEN)
    broken = [text[:-1], text.replace(":42:", ":43:"), text.replace(":42:", ":"), text + "0", text.replace("-", "_")]
    for each in broken:
        with pytest.raises(InvalidConfiguration, match="not a whole replay token"):
            ReplayToken.parse(each)


def test_token_of_this_program_is_accepted() -> None:
    ReplayToken.parse(str(TOKEN)).check(scenario())


@pytest.mark.parametrize("anyway", [False, True])
def test_token_of_another_version_is_refused_always(anyway: bool) -> None:
    with pytest.raises(InvalidConfiguration, match=r"the token is of Atoll 9\.9\.9 and this is Atoll"):
        replace(TOKEN, version="9.9.9").check(scenario(), anyway=anyway)


@pytest.mark.parametrize(
    ("token", "says"),
    [(replace(TOKEN, source="00000000"), "of source code 00000000"), (replace(TOKEN, python="2.7"), "of Python 2.7")],
)
def test_token_of_other_code_is_refused_unless_tried_anyway(token: ReplayToken, says: str) -> None:
    with pytest.raises(InvalidConfiguration, match=f"{says}.* --anyway"):
        token.check(scenario())
    token.check(scenario(), anyway=True)


def test_token_of_other_code_and_another_scenario_names_the_code() -> None:
    with pytest.raises(InvalidConfiguration, match="of source code 00000000"):
        replace(TOKEN, source="00000000").check(scenario(text="title = 'y'"))


@pytest.mark.parametrize("document", [token.__doc__, simulate.replay.__doc__])
def test_example_of_a_token_is_one(document: str) -> None:
    (example,) = re.findall(r"r1:[\w.:-]+", document)
    assert ReplayToken.parse(example).seed == 42


def test_token_of_an_edited_scenario_is_refused_always() -> None:
    for edited in (scenario(text="title = 'y'"), scenario("cable-mended")):
        with pytest.raises(InvalidConfiguration, match="the token is of scenario cable-cut"):
            TOKEN.check(edited, anyway=True)


def test_token_of_another_table_of_latencies_is_refused() -> None:
    table = LatencyTable.parse("from,frankfurt\nfrankfurt,1\n", "mine.csv")
    edited = replace(scenario(), network=replace(scenario().network, table=table))
    with pytest.raises(InvalidConfiguration, match="or the table of latencies"):
        TOKEN.check(edited)


@pytest.mark.parametrize(
    ("told", "given", "says"),
    [("", "aa", "leave --config out"), ("aa", "", "give that file with --config"), ("aa", "bb", "file given is bb")],
)
def test_token_of_another_configuration_is_refused(told: str, given: str, says: str) -> None:
    with pytest.raises(InvalidConfiguration, match=says):
        replace(TOKEN, configuration=told).check(scenario(), given, anyway=True)


def test_source_fingerprint_covers_what_runs_and_nothing_else() -> None:
    assert fingerprints.source_fingerprint() == fingerprints.source_fingerprint()
    assert len(fingerprints.source_fingerprint()) == 8


def test_digest_tells_apart_parts_that_read_alike_in_a_row() -> None:
    assert fingerprints.digest([("a", b"bc")]) != fingerprints.digest([("a", b"b"), ("c", b"")])
