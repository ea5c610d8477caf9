"""A session token: what a client has seen, signed so that it cannot be forged or moved to another ring.

The text is base64url of a version byte, the msgpack of cut and timestamp, and the first 16 bytes of an HMAC-SHA-256
over both. It holds no secret and is not encrypted. Terry et al., *Session Guarantees for Weakly Consistent
Replicated Data* (1994), with one number per shard instead of one per server; signed because an invented number would
make every read wait until its deadline.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import ClassVar, Final

import msgpack

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame, InvalidToken
from atoll.instant import ZERO, Timestamp
from atoll.limits import INTEGER_MAX, TOKEN_BYTES_MAX

_VERSION: Final = b"\x01"
_SIGNATURE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A cut and the greatest hybrid timestamp that the session was given."""

    cut: Cut = Cut.EMPTY
    timestamp: Timestamp = ZERO

    EMPTY: ClassVar[SessionToken]

    def join(self, other: SessionToken) -> SessionToken:
        """What both sessions together have seen."""
        return SessionToken(self.cut.join(other.cut), max(self.timestamp, other.timestamp))

    def sign(self, key: bytes) -> str:
        """The token as text; equal content under one key is equal text. The empty token is the empty text."""
        if not self.cut and not self.timestamp:
            return ""
        body = _VERSION + msgpack.packb([self.cut.encode(), self.timestamp])
        return urlsafe_b64encode(body + _signature(body, key)).decode()

    @staticmethod
    def verify(text: str, key: bytes) -> SessionToken:
        """Inverse of :meth:`sign`; raises :class:`InvalidToken` for anything that ``key`` did not sign."""
        if text == "":
            return SessionToken.EMPTY
        if len(text) > TOKEN_BYTES_MAX:
            raise InvalidToken(f"a session token of {len(text):,} bytes, more than the {TOKEN_BYTES_MAX:,} allowed")
        try:
            raw = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            raise InvalidToken(
                "the session token is not base64url text: pass it on exactly as it was given"
            ) from None
        body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, _signature(body, key)) or urlsafe_b64encode(raw).decode() != text:
            raise InvalidToken("the session token was changed, or another ring gave it: start a new session")
        return _decode(body)


SessionToken.EMPTY = SessionToken()


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _decode(body: bytes) -> SessionToken:
    if body[:1] != _VERSION:
        raise InvalidToken(f"the session token has version {body[:1].hex() or 'none'}; this node reads 01")
    try:
        cut, timestamp = msgpack.unpackb(body[1:])
        if not isinstance(timestamp, int) or not 0 <= timestamp <= INTEGER_MAX or not isinstance(cut, bytes):
            raise ValueError("a cut and a timestamp were expected")
        return SessionToken(Cut.decode(cut), Timestamp(timestamp))
    except (ValueError, TypeError, msgpack.UnpackException, CorruptFrame) as error:
        raise InvalidToken(f"the session token is signed by this ring and does not decode: {error}") from error
