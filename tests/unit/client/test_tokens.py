"""The tokens that a remote client holds."""

from __future__ import annotations

from random import Random

from atoll.client.tokens import HeldTokens, split_token
from atoll.limits import CLIENT_BATCHES_IN_FLIGHT_MAX, SESSION_TOKENS_MAX


def test_reply_folds_what_its_request_presented() -> None:
    held = HeldTokens()
    held.fold(held.present(), "a")
    assert held.present() == ("a",)
    held.fold(held.present(), "b")
    assert held.present() == ("b",)


def test_replies_to_requests_in_flight_together_are_all_kept() -> None:
    held = HeldTokens("start")
    presented = held.present()
    held.fold(presented, "a")
    held.fold(presented, "b")
    assert set(held.present()) == {"a", "b"}
    held.fold(held.present(), "c")
    assert held.present() == ("c",)


def test_reply_that_brought_nothing_new_changes_nothing() -> None:
    held = HeldTokens("a")
    held.fold(("a",), "a")
    held.fold(("a",), "")
    assert held.present() == ("a",)


def test_held_tokens_are_told_as_one_text() -> None:
    held = HeldTokens("a.b")
    assert held.present() == ("a", "b")
    assert held.text() == "a.b"
    assert split_token(held.text()) == ["a", "b"]
    assert split_token("") == []


def test_tokens_never_outnumber_the_requests_in_flight() -> None:
    """And every reply is covered: by a held token, or by the token of a request that presented it."""
    assert CLIENT_BATCHES_IN_FLIGHT_MAX <= SESSION_TOKENS_MAX
    random = Random(7)
    held = HeldTokens()
    in_flight: list[tuple[str, ...]] = []
    covers: dict[str, set[str]] = {}
    for number in range(5_000):
        if len(in_flight) < CLIENT_BATCHES_IN_FLIGHT_MAX and random.random() < 0.6:
            in_flight.append(held.present())
        elif in_flight:
            presented = in_flight.pop(random.randrange(len(in_flight)))
            token = f"t{number}"
            covers[token] = {token}.union(*(covers[each] for each in presented))
            held.fold(presented, token)
        assert len(held.present()) <= CLIENT_BATCHES_IN_FLIGHT_MAX
        assert set().union(*(covers[each] for each in held.present())) == set(covers)
