"""LOGIN: name, then password. Never a standard; many printers and scripts know nothing else.

Standards: none (draft-murchison-sasl-login-00).
"""

from collections.abc import Generator

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


def login_client(name: str, password: Secret) -> Generator[bytes | None, bytes, None]:
    """The client: no initial response, then whatever is asked for. A prompt that names neither is taken for the one
    that is due. It ends when the password is asked for once more, or the name after it."""
    challenge = yield None
    told_name = False
    while True:
        prompt = challenge.lower()
        if b"pass" in prompt or b"kennwort" in prompt or (told_name and not _asks_name(prompt)):
            yield password.reveal().encode()
            return
        told_name = True
        challenge = yield name.encode()


def _asks_name(prompt: bytes) -> bool:
    return b"user" in prompt or b"login" in prompt or b"name" in prompt
