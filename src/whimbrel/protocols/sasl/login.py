"""LOGIN: name, then password. Never a standard; many printers and scripts know nothing else.

Standards: none (draft-murchison-sasl-login-00).
"""

from collections.abc import Iterator

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import Challenge, Credentials, read_name, read_password


class LoginServer:
    def __init__(self, initial: bytes | None) -> None:
        self._name = ""
        # Quirk (Outlook): sends the name with the command, as if it were an initial response; taken as the name.
        self.first: Challenge | Credentials = Challenge(b"Username:") if initial is None else self.step(initial)

    def step(self, response: bytes) -> Challenge | Credentials:
        if not self._name:
            self._name = read_name(response)
            return Challenge(b"Password:")
        return Credentials("", self._name, read_password(response))


def login_client(name: str, password: Secret) -> Iterator[bytes]:
    """The responses of a client: the first to "Username:", the second to "Password:"."""
    yield name.encode()
    yield password.reveal().encode()
