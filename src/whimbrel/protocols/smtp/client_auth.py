"""Signing in to a relay host: which mechanism, and what it answers.

Sans-IO: a generator is sent each challenge and yields each response; the first thing it yields is its initial response,
or None where the server has to speak first.

Standards: RFC 4954 4 (AUTH), RFC 4422, RFC 2195 (CRAM-MD5).
"""

import hmac
from collections.abc import Callable, Collection, Generator

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl import CLIENT_MECHANISMS

Responses = Generator[bytes | None, bytes, None]


def choose(offered: Collection[str]) -> str | None:
    """The first mechanism that both know."""
    return next((name for name in MECHANISMS if name in offered), None)


def _spoken(name: str) -> Callable[[str, Secret], Responses]:
    """A mechanism whose responses do not depend on challenges."""
    make = CLIENT_MECHANISMS[name]

    def responses(user: str, password: Secret) -> Responses:
        for response in make(user, password):  # noqa: UP028 - `yield from` would send it the challenges.
            yield response

    return responses


def cram_md5(user: str, password: Secret) -> Responses:
    """Where a server offers nothing better; the password itself is not sent."""
    challenge = yield None
    digest = hmac.new(password.reveal().encode(), challenge, "md5").hexdigest()
    yield f"{user} {digest}".encode()


MECHANISMS: dict[str, Callable[[str, Secret], Responses]] = {
    **{name: _spoken(name) for name in CLIENT_MECHANISMS},
    "CRAM-MD5": cram_md5,
}
"""In the order in which they are tried."""
