"""Signing in to a relay host: which mechanisms, and what they answer.

Sans-IO. A mechanism is a generator that is sent each challenge and yields each response; the first thing it yields is
its initial response, or None where the server has to speak first; when it ends it has no answer.

A server that does not take the mechanism (504, 534 and the like) is offered the next one that both know, each once. The
exchange is bounded, whatever the server asks: after `MAX_RESPONSES` it is cancelled, and who does not end it then is
left.

Standards: RFC 4954 4 (AUTH, cancelling, line length), 6 (534, 538), RFC 4422, RFC 2195 (CRAM-MD5).
"""

import base64
import hmac
from collections.abc import Callable, Collection, Generator
from typing import Final

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl import CLIENT_MECHANISMS
from whimbrel.protocols.sasl.exchange import SaslError, from_base64
from whimbrel.protocols.smtp.reply import Reply

MAX_RESPONSES: Final = 8
"""In one exchange; no mechanism needs more."""
MAX_LINE: Final = 512
"""Octets of the AUTH command with its initial response. RFC 4954 4: a longer one is sent when it is asked for."""
NEXT_MECHANISM: Final = frozenset({500, 501, 502, 504, 534, 538})
"""Refusals of a mechanism. RFC 4954 6; 50x come from servers that read no initial response, or do not know it."""
CANCEL: Final = b"*\r\n"

Responses = Generator[bytes | None, bytes, None]


def cram_md5(user: str, password: Secret) -> Responses:
    """Where a server offers nothing better; the password itself is not sent."""
    challenge = yield None
    digest = hmac.new(password.reveal().encode(), challenge, "md5").hexdigest()
    yield f"{user} {digest}".encode()


MECHANISMS: Final[dict[str, Callable[[str, Secret], Responses]]] = {**CLIENT_MECHANISMS, "CRAM-MD5": cram_md5}
"""In the order in which they are tried."""


class SignInExchange:
    """All attempts of one `sign_in`. `begin` and `answer` give the line to be sent."""

    def __init__(self, offered: Collection[str], name: str, password: Secret) -> None:
        self._left = [mechanism for mechanism in MECHANISMS if mechanism in offered]
        self._name, self._password = name, password
        self._responses: Responses | None = None
        self._count = 0
        self._cancelled = False

    def begin(self) -> bytes | None:
        """The AUTH command with the next mechanism; None if there is none left."""
        if not self._left:
            return None
        mechanism = self._left.pop(0)
        self._responses, self._count, self._cancelled = MECHANISMS[mechanism](self._name, self._password), 0, False
        initial = next(self._responses)
        line = b"AUTH " + mechanism.encode()
        if initial is not None:
            full = line + b" " + (base64.b64encode(initial) or b"=") + b"\r\n"
            if len(full) <= MAX_LINE:
                return full
            self._responses = _asked_for(initial, self._responses)
            next(self._responses)
        return line + b"\r\n"

    def answer(self, challenge: str) -> bytes | None:
        """The line after 334; None if the exchange was cancelled already and the server still asks."""
        if self._cancelled:
            return None
        self._count += 1
        response: bytes | None = None
        if self._responses is not None and self._count <= MAX_RESPONSES:
            try:
                response = self._responses.send(from_base64(challenge.strip().encode()))
            except (SaslError, StopIteration):
                response = None
        self._cancelled = response is None
        return CANCEL if response is None else base64.b64encode(response) + b"\r\n"

    def refused(self, reply: Reply) -> bytes | None:
        """The AUTH command with another mechanism, if the reply was about the mechanism and there is one."""
        return self.begin() if reply.code in NEXT_MECHANISM else None


def _asked_for(initial: bytes, rest: Responses) -> Responses:
    """The initial response is sent in answer to the first challenge, which is empty. RFC 4422 5"""
    yield None
    yield initial
    yield from rest
