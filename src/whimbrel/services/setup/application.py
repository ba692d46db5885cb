"""What a server that is not set up yet answers: the wizard's page, and its API under /api/setup.

    GET  /api/setup            is it to be set up, is this browser let in (`csrf`), how far is it
    POST /api/setup/session    {"code"}: lets in; DELETE lets out
    POST /api/setup/steps      {"answers"}: the steps with their fields, and what the machine proposes; also GET
    POST /api/setup/draft      {"answers", "at", "revision"}: keeps them for a page that is loaded anew; also GET
    POST /api/setup/check      {"step", "answers", "check"}: the faults of a step, and what its checks find now
    POST /api/setup/review     {"answers"}: everything in words, and every fault
    POST /api/setup/apply      {"answers"}: sets up; one JSON object a line

Answers are the tree of `field.py`, as an answers file has it. All but the first two want the session, and everything
but GET the header X-CSRF-Token and an Origin of our own. Errors have the form of the admin calls. Until `apply` the
answers are in the browser and in memory (`draft.py`) alone.
"""

import asyncio
import contextlib
import errno
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from whimbrel import __version__
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.log import Log
from whimbrel.services.setup.answers import Answers
from whimbrel.services.setup.door import SESSION, Door, Locked, Session, WrongCode
from whimbrel.services.setup.draft import Draft, Outdated
from whimbrel.services.setup.drawing import drawn_faults, drawn_results, drawn_step
from whimbrel.services.setup.field import Values
from whimbrel.services.setup.looking import look
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.reading import Reading, read
from whimbrel.services.setup.step import Step
from whimbrel.services.webd.exchange import (
    BODY_WITHIN,
    RECEIVE_WITHIN,
    Broken,
    Exchange,
    Gone,
    Headers,
    Receive,
    Refusal,
    Scope,
    Send,
)
from whimbrel.services.webd.pages import Pages
from whimbrel.services.webd.security import CLOSED, COMMON
from whimbrel.services.webd.settings import PORT

COOKIE: Final = "__Host-whimbrel-setup"
_MOST: Final = 20 << 20
"""Octets of a request of who is let in: a table of users may be part of it."""
_MOST_OF_CODE: Final = 4096
CODE_WITHIN: Final = 10.0
"""Seconds for the request of who has not given the code yet: whoever dawdles keeps others out."""
_JSON: Final = "application/json"
_KINDS: Final = {
    503: "setup",
    400: "usage",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "usage",
    409: "conflict",
}
_RUN_AS: Final = "run-as"
_LOOKS: Final = 4
"""Steps that are looked at in the same moment."""


class Installer(Protocol):
    """Makes the new installation. Both may block."""

    def survey(self, answers: Answers) -> Sequence[Fault]:
        """All that would stop it."""
        ...

    def set_up(self, answers: Answers, progress: Callable[[str], None]) -> Sequence[str]:
        """ConfigError tells every fault, OSError why it could not be written; nothing was written then. Returns what
        went wrong once it was written, in sentences."""
        ...


class SetupApplication:
    """The ASGI application. For one event loop."""

    def __init__(
        self, steps: Sequence[Step], machine: Machine, installer: Installer, door: Door, pages: Pages, log: Log
    ) -> None:
        self._steps, self._machine, self._installer = steps, machine, installer
        self._door, self._pages, self._log = door, pages, log
        self._applying: asyncio.Task[None] | None = None
        self._lines: list[dict[str, object]] = []
        self._news = asyncio.Condition()
        self._looks = asyncio.Semaphore(_LOOKS)
        self._draft = Draft(steps)
        self.done = asyncio.Event()
        """The server is set up."""

    @property
    def applying(self) -> bool:
        """A new installation is being written."""
        return self._applying is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        exchange = Exchange(scope, receive, send)
        exchange.extra = [*COMMON, CLOSED, (b"cache-control", b"no-store")]
        try:
            try:
                await self._route(exchange)
            except Refusal as refusal:
                if exchange.status:
                    raise Broken(refusal.text) from None
                await _refuse(exchange, refusal)
        except Gone:
            pass
        except Broken as error:
            self._log.debug("web.broken", sender_host=exchange.client, reason=str(error))
            exchange.abort()
        except Exception as error:  # noqa: BLE001 - the top of a request: a bug ends this one alone.
            self._log.exception("web.crashed", error, sender_host=exchange.client)
            exchange.abort()

    async def _route(self, exchange: Exchange) -> None:
        path = exchange.path
        if path == "/healthz":
            await exchange.answer(200, "text/plain; charset=utf-8", b"ok, but not set up yet\n")
        elif path == "/api/setup" or path.startswith("/api/setup/"):
            await self._api(exchange, path.removeprefix("/api/setup").strip("/"))
        elif path.startswith("/api/"):
            raise Refusal(503, "This server is not set up yet: open its first page, and have the one-time code ready.")
        elif exchange.method not in ("GET", "HEAD"):
            raise Refusal(405, "Pages can only be read.")
        else:
            await self._pages.serve(exchange)

    async def _api(self, exchange: Exchange, verb: str) -> None:
        session = self._session(exchange)
        if not verb and exchange.method == "GET":
            await _result(exchange, self._state(session))
        elif verb == "session" and exchange.method == "POST":
            await self._enter(exchange)
        elif session is None:
            raise Refusal(401, "The one-time code is needed: the server's console shows it, and `whimbrel setup code`.")
        elif verb == "steps" and exchange.method == "GET":
            await _result(exchange, await self._described({}))
        elif verb == "draft" and exchange.method == "GET":
            await _result(exchange, self._drafted())
        else:
            _same_origin(exchange)
            if (exchange.header(b"x-csrf-token") or b"").decode("latin-1") != session.csrf:
                raise Refusal(403, "The request does not come from the page of this session; reload it.")
            await self._change(exchange, verb, session)

    async def _change(self, exchange: Exchange, verb: str, session: Session) -> None:
        if verb == "session" and exchange.method == "DELETE":
            self._door.leave(session)
            await _result(exchange, {}, [_cookie("", 0)])
            return
        verbs = {
            "steps": self._steps_of,
            "draft": self._keep,
            "check": self._check,
            "review": self._review,
            "apply": self._apply,
        }
        if verb not in verbs:
            raise Refusal(404, f"There is nothing at {exchange.path}.")
        if exchange.method != "POST":
            raise Refusal(405, "It is asked for by POST.")
        await verbs[verb](exchange, await _object(exchange, _MOST))

    # Getting in

    def _session(self, exchange: Exchange) -> Session | None:
        for part in (exchange.header(b"cookie") or b"").decode("latin-1").split(";")[:50]:
            name, _, value = part.strip().partition("=")
            if name == COOKIE and (session := self._door.session(value)) is not None:
                return session
        return None

    def _state(self, session: Session | None) -> dict[str, object]:
        state = "done" if self.done.is_set() else "applying" if self._applying is not None else "open"
        known: dict[str, object] = {"state": state, "signed_in": session is not None}
        if session is not None:
            known |= {"csrf": session.csrf, "version": __version__}
        return known

    async def _enter(self, exchange: Exchange) -> None:
        _same_origin(exchange)
        code = (await _object(exchange, _MOST_OF_CODE)).get("code")
        try:
            session = self._door.enter(code if isinstance(code, str) else "", exchange.client)
        except Locked as locked:
            raise Refusal(
                429, f"Too many wrong codes; try again in {locked.seconds} s.", retry_after=locked.seconds
            ) from None
        except WrongCode:
            self._log.warning("web.refused", sender_host=exchange.client, reason="wrong one-time code")
            raise Refusal(
                401, "That is not the code. The server's console shows it, and `whimbrel setup code` does again."
            ) from None
        cookie = _cookie(session.cookie, int(SESSION))
        await _result(exchange, {"csrf": session.csrf, "version": __version__}, [cookie])

    # Asking and checking

    def _drafted(self) -> dict[str, object]:
        kept = self._draft.shown()
        return {"answers": kept.answers, "withheld": kept.withheld, "at": kept.at, "revision": kept.revision}

    async def _keep(self, exchange: Exchange, given: Mapping[str, Any]) -> None:
        at, revision = given.get("at", ""), given.get("revision")
        if not isinstance(at, str) or not isinstance(revision, int):
            raise Refusal(400, "at: a text is meant; revision: a whole number.")
        try:
            await _result(exchange, {"revision": self._draft.keep(_answers(given), at, revision)})
        except Outdated:
            raise Refusal(409, "Another browser has changed the answers meanwhile.") from None

    def _answered(self, given: Mapping[str, Any]) -> Mapping[str, object]:
        """With the passwords and files that the page was not sent back."""
        return self._draft.whole(_answers(given))

    async def _steps_of(self, exchange: Exchange, given: Mapping[str, Any]) -> None:
        await _result(exchange, await self._described(self._answered(given)))

    async def _described(self, tree: Mapping[str, object]) -> dict[str, object]:
        reading = await asyncio.to_thread(read, self._steps, tree, self._machine)

        def describe() -> list[dict[str, object]]:
            values = Values(reading.values)
            return [drawn_step(step, self._machine, values) for step in self._steps]

        return {"steps": await asyncio.to_thread(describe)}

    async def _check(self, exchange: Exchange, given: Mapping[str, Any]) -> None:
        step = next((each for each in self._steps if each.name == given.get("step")), None)
        demanded = given.get("check", "")
        if step is None or demanded not in ("", *(check.name for check in step.checks)):
            raise Refusal(404, "There is no such step or check.")
        async with self._looks:
            reading = await self._surveyed(self._answered(given))
            results = await asyncio.to_thread(look, step, reading.values, self._machine, demanded=demanded)
        # What is to be confirmed is for the review.
        faults = [fault for fault in reading.of(step) if not (reading.confirm and fault.path == "users")]
        await _result(exchange, {"faults": drawn_faults(faults), "checks": drawn_results(results)})

    async def _review(self, exchange: Exchange, given: Mapping[str, Any]) -> None:
        reading = await self._surveyed(self._answered(given))
        words = [
            {"step": step.name, "title": step.title, "words": list(step.words(reading.values))}
            for step in self._steps
            if not reading.of(step)
        ]
        result = {"words": words, "faults": drawn_faults(reading.faults), "confirm": reading.confirm}
        await _result(exchange, result)

    async def _surveyed(self, tree: Mapping[str, object]) -> Reading:
        """With every fault that can be known before anything is written."""
        reading = await asyncio.to_thread(read, self._steps, tree, self._machine)
        reading.add(self._nobody_to_run_as(reading))
        reading.add(await asyncio.to_thread(self._installer.survey, reading.legible()))
        return reading

    def _nobody_to_run_as(self, reading: Reading) -> list[Fault]:
        said = any(fault.path == _RUN_AS for fault in reading.faults)
        if said or not self._machine.root or "server/run-as" in reading.making.settings:
            return []
        return [Fault("", 0, _RUN_AS, "is missing: the server must not run as root")]

    # Setting up

    async def _apply(self, exchange: Exchange, given: Mapping[str, Any]) -> None:
        """The work goes on when the browser goes away; who comes back meanwhile reads on."""
        if self._applying is None:
            reading = await self._surveyed(self._answered(given))
            if reading.faults:
                await _faulty(exchange, reading)
                return
        if self._applying is None and not self.done.is_set():
            self._lines = []
            self._applying = asyncio.get_running_loop().create_task(self._work(reading.answers()))
        await exchange.begin(200, [(b"content-type", b"application/x-ndjson")])
        lines, sent = self._lines, 0
        while not sent or "item" in lines[sent - 1]:
            async with self._news:
                while len(lines) <= sent:
                    await self._news.wait()
            await exchange.write(json.dumps(lines[sent]).encode() + b"\n")
            sent += 1
        await exchange.end()

    async def _work(self, answers: Answers) -> None:
        loop = asyncio.get_running_loop()

        def progress(text: str) -> None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody listens any more.
                asyncio.run_coroutine_threadsafe(self._say({"item": {"progress": text}}), loop)

        try:
            warnings = await asyncio.to_thread(self._installer.set_up, answers, progress)
        except (ConfigError, OSError) as error:
            faults = drawn_faults(error.faults) if isinstance(error, ConfigError) else []
            await self._fail(f"Nothing was set up. {in_words(error)}", faults)
            return
        except Exception as error:  # noqa: BLE001 - the top of the work: who waits for its end must hear of it.
            self._log.exception("web.crashed", error, sender_host="")
            await self._fail("The set-up failed by a fault of its own, which the server's console shows.", [])
            return
        self._door.close()
        self._draft.forget()
        made = [
            {"user": f"{login.partition('@')[0]}@{answers.domain}", "password": password.reveal()}
            for login, password in answers.made.items()
        ]
        end = {
            "administrator": f"{answers.administrator}@{answers.domain}",
            "hostname": answers.hostname,
            "console": console_port(answers),
            "warnings": list(warnings),
            "made": made,
        }
        await self._say({"item": {"progress": "Starting the server"}})
        await self._say({"item": {"done": end}})
        await self._say({"end": True, "warnings": list(warnings)})
        self.done.set()

    async def _fail(self, text: str, faults: list[dict[str, str]]) -> None:
        self._applying = None
        await self._say({"error": {"kind": "refused", "text": text, "fields": faults, "confirm": ""}})

    async def _say(self, line: dict[str, object]) -> None:
        async with self._news:
            self._lines.append(line)
            self._news.notify_all()


def in_words(error: ConfigError | OSError) -> str:
    """Why it could not be written: a full disk is the likeliest."""
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    full = ": make room, or choose another directory" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{where}{error.strerror or error}{full}."


def console_port(answers: Answers) -> int:
    """Where the console is from then on: it need not be where the wizard is."""
    console = answers.services.get("console")
    return console.listen[0].port if console is not None and console.listen else PORT


def _answers(given: Mapping[str, Any]) -> Mapping[str, object]:
    answers = given.get("answers", {})
    if not isinstance(answers, Mapping):
        raise Refusal(400, "answers: an object is meant.")
    return answers


def _same_origin(exchange: Exchange) -> None:
    origin, host = exchange.header(b"origin") or b"", exchange.header(b"host") or b""
    if not host or origin.lower() != b"https://" + host.lower():
        raise Refusal(403, "The request does not come from a page of this server.")


async def _object(exchange: Exchange, most: int) -> Mapping[str, Any]:
    """The body. Refusal."""
    if not (exchange.header(b"content-type") or b"").startswith(_JSON.encode()):
        raise Refusal(415, f"The body of the request must be {_JSON}.")
    try:
        async with asyncio.timeout(BODY_WITHIN if most > _MOST_OF_CODE else CODE_WITHIN):
            body = await _body(exchange, most)
        value = json.loads(body or b"{}")
    except TimeoutError:
        raise Refusal(408, "The request did not come to its end in time.") from None
    except (ValueError, RecursionError):
        raise Refusal(400, "The body of the request is no JSON.") from None
    if not isinstance(value, Mapping):
        raise Refusal(400, "An object is meant.")
    return value


async def _body(exchange: Exchange, most: int) -> bytes:
    """TimeoutError, Refusal."""
    body = bytearray()
    while True:
        async with asyncio.timeout(RECEIVE_WITHIN):
            piece = await exchange.next_piece()
        if piece is None:
            return bytes(body)
        body += piece
        if len(body) > most:
            raise Refusal(413, f"The request is larger than {most >> 10} kB.")


def _cookie(value: str, seconds: int) -> tuple[bytes, bytes]:
    text = f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}"
    return b"set-cookie", text.encode()


async def _result(exchange: Exchange, result: object, headers: Headers | None = None) -> None:
    await exchange.answer(200, _JSON, json.dumps({"result": result}).encode(), headers or [])


async def _faulty(exchange: Exchange, reading: Reading) -> None:
    text = "Nothing was set up; " + "; ".join(f"{each.path}: {each.text}" for each in reading.faults[:20])
    error = {"kind": "refused", "text": text, "fields": drawn_faults(reading.faults), "confirm": reading.confirm}
    await exchange.answer(422, _JSON, json.dumps({"error": error}).encode())


async def _refuse(exchange: Exchange, refusal: Refusal) -> None:
    headers: Headers = [(b"retry-after", b"%d" % refusal.retry_after)] if refusal.retry_after else []
    if exchange.path.startswith("/api/"):
        kind = _KINDS.get(refusal.status, "unavailable" if refusal.status == 429 else "refused")
        error = {"kind": kind, "text": refusal.text, "fields": [], "confirm": ""}
        await exchange.answer(refusal.status, _JSON, json.dumps({"error": error}).encode(), headers)
    else:
        await exchange.answer(refusal.status, "text/plain; charset=utf-8", f"{refusal.text}\n".encode(), headers)
