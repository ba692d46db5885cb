"""The console's side of control, for tests: a real directory, the real authenticator, requests without a network."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from tests.support.fakes import FakeConfig, FakeIds, InlinePool, MemoryCounters
from tests.unit.services.admin.office import CALLS, Office
from whimbrel.backends.config.password_links import PasswordLinkFile
from whimbrel.backends.config.tokens import TokenFile
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.settings import Section
from whimbrel.core.values import Secret
from whimbrel.services.admin.context import Caller
from whimbrel.services.admin.invoke import invoke
from whimbrel.services.admin.server.operations import Operations
from whimbrel.services.admin.table import all_calls
from whimbrel.services.console.application import console
from whimbrel.services.console.cookie import cookie_name
from whimbrel.services.console.me import Server
from whimbrel.services.console.password_link import PasswordLinks
from whimbrel.services.console.sessions import Sessions
from whimbrel.services.console.settings import ConsoleSettings
from whimbrel.services.console.sign_in import SignIn
from whimbrel.services.console.tokens import Tokens
from whimbrel.services.session.authenticator import Authenticator

PASSWORD = "correct-horse-4711"
HOST = "mail.example.org:44337"
ORIGIN = f"https://{HOST}"
INSTALLATION = "0a1b2c3d"
COOKIE = cookie_name(INSTALLATION, HOST)
_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def cheap_password(password: Secret) -> StoredPassword:
    return StoredPassword(Secret(_HASHER.hash(password.reveal())))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return str(self.json["error"]["kind"])


@dataclass
class Browser:
    """Keeps the cookie and the CSRF token, and names its origin, as the console's page does."""

    desk: "Desk"
    ip: str = "192.0.2.7"
    id: str = ""
    csrf: str = ""
    cookie: str = COOKIE
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, name: str, /, **arguments: object) -> "Answer":
        return await self.ask("POST", f"/api/admin/{name.replace(' ', '/')}", arguments)

    async def ask(self, method: str, path: str, body: object = None, **more: str) -> Answer:
        headers = {"host": HOST, "whimbrel-client": self.ip, "origin": ORIGIN}
        headers |= {"cookie": f"{self.cookie}={self.id}"} if self.id else {}
        headers |= {"x-csrf-token": self.csrf} if self.csrf else {}
        headers |= {"content-type": "application/json"} if body is not None else {}
        headers |= self.headers | {name.replace("_", "-"): value for name, value in more.items()}
        answer = await self.desk.request(method, path, body, {name: value for name, value in headers.items() if value})
        if cookie := answer.headers.get("set-cookie", ""):
            self.cookie, _, value = cookie.partition(";")[0].partition("=")
            self.id = value.strip('"')
        if path.startswith("/api/session") and answer.status == 200:
            self.csrf = answer.json["result"]["csrf"]
        return answer

    async def sign_in(self, name: str = "alice@example.org", password: str = PASSWORD) -> Answer:
        return await self.ask("POST", "/api/session", {"name": name, "password": password})


class Desk:
    """alice administers the server, dora other.test, bob nothing; all have PASSWORD."""

    def __init__(self, folder: Path, *sections: Section) -> None:
        self.office = Office(folder / "office")
        self.pauses: list[float] = []
        self.config: FakeConfig = FakeConfig(*sections)
        self.counters = MemoryCounters()

    async def open(self) -> None:
        self.ctx = self.office.context(make_password=cheap_password)
        folder = self.office.folder
        self.tokens = TokenFile(folder / "tokens.json", folder / "users.cfg", InlinePool())
        await self.do("user password", name="alice@example.org", password=PASSWORD)
        await self.do("user rights", name="alice@example.org", rights="server-write")
        await self.do("user add", name="dora@other.test", password=PASSWORD)
        await self.do("user rights", name="dora@other.test", rights="domain")
        await self.do("user password", name="bob@other.test", password=PASSWORD)
        await self.start()

    async def start(self) -> None:
        """As a start of control does."""
        office = self.office
        self.authenticator = Authenticator.of_users_file(
            directory=self.ctx.directory,
            config=self.config,
            counters=self.counters,
            pool=InlinePool(),
            log=office.log,
            clock=office.clock,
            pause=self._pause,
        )
        self.sessions = Sessions(
            directory=self.ctx.directory,
            state=office.state,
            clock=office.clock,
            log=office.log,
            settings=lambda: self.config.section(ConsoleSettings),
            ended=self.authenticator.ended,
        )
        await self.sessions.load()
        self.programs = Tokens(
            store=self.tokens, directory=self.ctx.directory, state=office.state, clock=office.clock, log=office.log
        )
        operations = Operations(office.state, office.clock, office.log, FakeIds().session_id)
        self.ctx = replace(self.ctx, tokens=self.tokens, sessions=self.sessions, operations=operations)
        folder = office.folder
        links = PasswordLinkFile(folder / "password-links.json", folder / "users.cfg", InlinePool(), office.clock)
        self.ctx = replace(self.ctx, password_links=links)
        sign_in = SignIn(
            authenticator=self.authenticator,
            sessions=self.sessions,
            config=self.config,
            state=office.state,
            ids=FakeIds(),
            log=office.log,
            server=lambda: Server("mail.example.org", "1.0"),
        )
        self.application = console(
            all_calls(),
            lambda caller: self.ctx.request(caller),
            sign_in=sign_in,
            sessions=self.sessions,
            bearer=self.programs.bearer,
            log=office.log,
            installation=INSTALLATION,
            routes=PasswordLinks(lambda caller: self.ctx.request(caller), self.counters).routes,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def do(self, call: str, /, **arguments: Any) -> Any:
        """By the local socket."""
        return await invoke(CALLS[call], self.ctx.request(Caller()), arguments)

    def program(self, token: str, ip: str = "192.0.2.50") -> Browser:
        """One that calls by an API token."""
        return Browser(self, ip, headers={"authorization": f"Bearer {token}", "origin": ""})

    def browser(self, **more: Any) -> Browser:
        return Browser(self, **more)

    async def request(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """Straight into the application."""
        target, _, query = path.partition("?")
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": target,
            "raw_path": target.encode(), "query_string": query.encode(), "scheme": "http", "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": None, "server": None,
        }  # fmt: skip
        sent: list[Any] = []
        pieces = [content]

        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(), "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        return Answer(
            sent[0]["status"],
            {name.decode().lower(): value.decode() for name, value in sent[0].get("headers", ())},
            b"".join(message.get("body", b"") for message in sent[1:]),
        )


def at_desk(folder: Path, work: Callable[[Desk], Awaitable[None]], *sections: Section) -> Desk:
    """`work` at a new desk."""

    desk = Desk(folder, *sections)

    async def run() -> None:
        await desk.open()
        await work(desk)

    asyncio.run(run())
    return desk
