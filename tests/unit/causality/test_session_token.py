"""Session tokens: what was signed comes back, anything else is refused."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.errors import InvalidToken
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import Timestamp
from atoll.limits import TOKEN_BYTES_MAX

KEY = b"k" * 32
CUT = Cut({Origin(RegionName("frankfurt"), ShardName("s1")): 17, Origin(RegionName("tokyo"), ShardName("s2")): 4})
TOKEN = SessionToken(CUT, Timestamp(1 << 40))

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
origins = st.builds(lambda region, shard: Origin(RegionName(region), ShardName(shard)), names, names)
cuts = st.dictionaries(origins, st.integers(1, 1 << 50), max_size=6).map(Cut)
tokens = st.builds(SessionToken, cuts, st.integers(0, (1 << 63) - 1).map(Timestamp))


@given(tokens)
def test_signed_token_comes_back(token: SessionToken) -> None:
    assert SessionToken.verify(token.sign(KEY), KEY) == token


@given(tokens, tokens)
def test_join_covers_both(left: SessionToken, right: SessionToken) -> None:
    joined = left.join(right)
    assert joined == right.join(left)
    assert joined.cut.covers(left.cut)
    assert joined.cut.covers(right.cut)
    assert joined.timestamp == max(left.timestamp, right.timestamp)


def test_equal_tokens_are_equal_text() -> None:
    other = SessionToken(Cut(dict(reversed(list(CUT.items())))), TOKEN.timestamp)
    assert other.sign(KEY) == TOKEN.sign(KEY)


def test_empty_token_is_the_empty_text() -> None:
    assert SessionToken.EMPTY.sign(KEY) == ""
    assert SessionToken.verify("", KEY) == SessionToken.EMPTY


def test_token_of_another_ring_is_refused() -> None:
    with pytest.raises(InvalidToken, match="another ring"):
        SessionToken.verify(TOKEN.sign(b"x" * 32), KEY)


def test_every_changed_byte_is_found() -> None:
    raw = urlsafe_b64decode(TOKEN.sign(KEY))
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        with pytest.raises(InvalidToken):
            SessionToken.verify(urlsafe_b64encode(changed).decode(), KEY)


@pytest.mark.parametrize(
    "text", ["x", "AQ==", "not base64!", "é", "A" * 40, " ", TOKEN.sign(KEY)[:-2], TOKEN.sign(KEY) + "\n"]
)
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        SessionToken.verify(text, KEY)


def test_token_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(InvalidToken, match="65,536"):
        SessionToken.verify("A" * (TOKEN_BYTES_MAX + 1), KEY)


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_an_error(text: str) -> None:
    try:
        SessionToken.verify(text, KEY)
    except InvalidToken:
        return
    assert text == ""
