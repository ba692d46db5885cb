"""Commands to a server elsewhere: `whimbrel --server https://host:44337 ...`, over the console's port.

Who asks is told by an API token (`--token-file`, WHIMBREL_TOKEN), else by name and password, asked for on the terminal:
a session that ends with the command. Nothing secret is sent before the certificate is known: vouched for by an
authority of this machine, or accepted by a person at first sight (`known_servers.py`). Standard library only.
"""

import contextlib
import http.client
import json
import socket
import ssl
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from whimbrel.app.cli.client import TIMEOUT, Answer, Client, Options, Unreachable, error_of
from whimbrel.app.cli.known_servers import KnownServers, Untrusted, fingerprint, spelled
from whimbrel.app.cli.reach import Reach
from whimbrel.services.admin.calls import Call, CallError, Failure

PORT: Final = 44337
CONNECT_WITHIN: Final = 20.0
_MAX_ANSWER: Final = 1 << 20

Ask = Callable[[str, bool], str]
"""`(what, hidden)`: asks the person on the terminal."""


class Server:
    """Where it is. `name`: the user named in the address, if any."""

    def __init__(self, url: str) -> None:
        """ValueError says what is wrong."""
        parts = urllib.parse.urlsplit(url if "://" in url else f"https://{url}")
        if (
            parts.scheme != "https"
            or not parts.hostname
            or parts.path not in ("", "/")
            or parts.query
            or parts.password
        ):
            raise ValueError(f"'{url}': an address such as https://mail.example.org:{PORT} is meant")
        self.host, self.port = parts.hostname, parts.port or PORT
        self.name = urllib.parse.unquote(parts.username or "")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"https://{self}".removesuffix(":443")


class _Connection(http.client.HTTPSConnection):
    """Verified when it is open: by an authority, or by what a person accepted."""

    def __init__(self, server: Server, known: KnownServers, ask: Ask | None) -> None:
        super().__init__(server.host, server.port, timeout=CONNECT_WITHIN)
        self._server, self._known, self._ask = server, known, ask
        self.opened: socket.socket | None = None

    def connect(self) -> None:
        """OSError, Untrusted."""
        try:
            self.sock = self._handshake(ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            self.sock = self._pinned(error.verify_message)
        self.opened = self.sock
        self.sock.settimeout(TIMEOUT)

    def _handshake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        context.set_alpn_protocols(["http/1.1"])
        plain = socket.create_connection((self._server.host, self._server.port), CONNECT_WITHIN)
        try:
            return context.wrap_socket(plain, server_hostname=self._server.host)
        except BaseException:
            plain.close()
            raise

    def _pinned(self, why: str) -> ssl.SSLSocket:
        """The certificate of this very connection is the accepted one, or is accepted now."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = self._handshake(context)
        try:
            self._accepted(fingerprint(connection.getpeercert(binary_form=True) or b""), why)
        except BaseException:
            connection.close()
            raise
        return connection

    def _accepted(self, shown: str, why: str) -> None:
        """Untrusted."""
        server, known = str(self._server), self._known.of(str(self._server))
        if known == shown:
            return
        unknown = f"No authority of this machine vouches for the certificate of {server} ({why})"
        if known:
            raise Untrusted(
                f"{server} shows another certificate than before. If it was renewed, take the line of {server} out of "
                f"{self._known.path} and compare the new one with what the server's administrator sees (openssl x509 "
                f"-noout -fingerprint -sha256 -in FILE); if not, somebody is in between.\n"
                f"  now     {spelled(shown)}\n  before  {spelled(known)}"
            )
        if self._ask is None:
            raise Untrusted(
                f"{unknown}, and there is no terminal to ask at. If its fingerprint is {spelled(shown)}, write this "
                f"line into {self._known.path}:\n{server} {shown}"
            )
        words = (
            f"{unknown}. Its SHA-256 fingerprint is\n  {spelled(shown)}\n"
            "The server's administrator sees it by: openssl x509 -noout -fingerprint -sha256 -in FILE\n"
            "Is it the same? Type yes"
        )
        if self._ask(words, False).strip().lower() != "yes":
            raise Untrusted(f"The certificate of {server} was not accepted; nothing was sent")
        self._known.accept(server, shown)


class RemoteClient(Client):
    """Calls by way of one server's console port."""

    def __init__(self, server: Server, token: str, ask: Ask | None, known: KnownServers | None = None) -> None:
        """`ask`: how a person is asked; None: nobody is there."""
        super().__init__(Path())
        self._server, self._token, self._ask, self._known = server, token, ask, known or KnownServers()
        self._session: dict[str, str] = {}

    @property
    def where(self) -> str:
        return f"https://{self._server}"

    def reachable(self) -> bool:
        return True

    def _connection(self) -> Any:
        return _Connection(self._server, self._known, self._ask)

    def _headers(self) -> Mapping[str, str]:
        if self._token:
            return {"Authorization": f"Bearer {self._token}"}
        if not self._session:
            self._sign_in()
        return self._session

    def close(self) -> None:
        """Ends the session of this command, if there is one."""
        if self._session:
            headers, self._session = self._session, {}
            with contextlib.suppress(CallError, Unreachable):
                self._request("DELETE", "/api/session", None, headers)

    def reauthenticate(self) -> None:
        """Gives the password once more. CallError, Unreachable."""
        if self._token or self._ask is None:
            raise CallError(
                Failure.REAUTHENTICATE, "The password is asked for once more, and there is no terminal to ask at"
            )
        password = self._ask("Your password once more", True)
        self._request("POST", "/api/session/reauthenticate", {"password": password}, self._session)

    def _sign_in(self) -> None:
        if self._ask is None:
            raise CallError(
                Failure.UNAUTHORIZED,
                "There is no terminal to ask for a password: give a token by --token-file or WHIMBREL_TOKEN",
            )
        self._verified()
        name = self._server.name or self._ask(f"User at {self._server}", False)
        password = self._ask(f"Password of {name}", True)
        origin = {"Origin": self._server.origin}
        answer, cookie = self._request("POST", "/api/session", {"name": name, "password": password}, origin)
        csrf = str(answer["result"]["csrf"])
        self._session = {**origin, "Cookie": cookie, "X-CSRF-Token": csrf}

    def _verified(self) -> None:
        """Nobody types a password for a server that turns out to be another. Unreachable"""
        connection = self._connection()
        try:
            connection.connect()
        except OSError as error:
            raise Unreachable(f"{self.where}: {error.strerror or error}") from None
        finally:
            connection.close()

    def _request(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> tuple[Any, str]:
        """The JSON of the answer, and the cookie it sets, as it is sent back. CallError, Unreachable."""
        connection = self._connection()
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            text = response.read(_MAX_ANSWER)
            answer = json.loads(text) if text else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{self.where}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        if response.status >= 400:
            raise error_of(answer.get("error") if isinstance(answer, dict) else None)
        cookie = (response.headers.get("Set-Cookie") or "").partition(";")[0]
        return answer, cookie


class RemoteReach(Reach):
    """A server elsewhere as a command sees it; it has no files here."""

    def __init__(self, server: Server, token: str) -> None:
        super().__init__(Path(), offline=False)
        self.client = RemoteClient(server, token, _asked if sys.stdin.isatty() else None)

    def call(self, call: Call, arguments: Mapping[str, object], options: Options) -> Answer:
        with _refusals():
            try:
                return self.client.call(call, arguments, options)
            except CallError as error:
                self._again(error)
            return self.client.call(call, arguments, options)

    def stream(self, call: Call, arguments: Mapping[str, object], options: Options, answer: Answer) -> Iterator[Any]:
        with _refusals():
            try:
                yield from self.client.stream(call, arguments, options, answer)
                return
            except CallError as error:
                self._again(error)
            yield from self.client.stream(call, arguments, options, answer)

    def _again(self, error: CallError) -> None:
        """The password is given once more, if that is all that is missing. CallError, Unreachable"""
        if error.kind is not Failure.REAUTHENTICATE:
            raise error
        self.client.reauthenticate()

    def close(self) -> None:
        self.client.close()


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What keeps a call from its server, as a refusal."""
    try:
        yield
    except Untrusted as error:
        raise CallError(Failure.UNAVAILABLE, str(error)) from None
    except Unreachable as error:
        raise CallError(Failure.UNAVAILABLE, f"The server does not answer: {error}") from None


def read_token(path: str) -> str:
    """The token in a file. OSError, ValueError."""
    text = Path(path).read_text().strip()
    if not text or len(text) > 1000 or any(char.isspace() for char in text):
        raise ValueError(f"{path} holds no token")
    return text


def _asked(what: str, hidden: bool) -> str:
    import click

    return str(click.prompt(what, hide_input=hidden, err=True))
