"""The tokens of a remote client's session.

Each reply brings a token that covers its request and the tokens the request presented. Of several requests in flight
each knows only what was there when it was sent, so a client holds a few tokens until a later reply folds them: at
most one for each request that can be in flight, since a reply folds all that arrived before its request was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atoll.limits import SESSION_TOKENS_MAX

SEPARATOR: Final = "."
"""Not in the alphabet of tokens: a session that is held as several tokens is told as one text."""


class HeldTokens:
    """The least set of tokens that covers all replies."""

    __slots__ = ("_tokens",)

    def __init__(self, text: str = "") -> None:
        self._tokens = split_token(text)

    def present(self) -> tuple[str, ...]:
        """What the next request carries."""
        return tuple(self._tokens)

    def fold(self, presented: Sequence[str], token: str) -> None:
        """A reply came to a request that presented ``presented``; its ``token`` covers them."""
        if not token or token in self._tokens:
            return
        self._tokens = [held for held in self._tokens if held not in presented]
        self._tokens.append(token)
        assert len(self._tokens) <= SESSION_TOKENS_MAX, "one token for each request in flight"

    def text(self) -> str:
        """All of it as one text."""
        return SEPARATOR.join(self._tokens)


def split_token(text: str) -> list[str]:
    """The tokens in a text that :meth:`HeldTokens.text` or an embedded client gave."""
    return [token for token in text.split(SEPARATOR) if token]
