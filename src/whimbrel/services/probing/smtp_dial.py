"""A call to another mail server, with every line that is said: greeting, EHLO, STARTTLS, certificate; a message only if
it is asked for.

Standards: RFC 5321 3, 4.1.1 and 5.1 (which server), RFC 3207 (STARTTLS).
"""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName
from whimbrel.protocols.smtp.reply import BadReply, Reply, ReplyReader
from whimbrel.services.probing.ports import Chain, Dialled, Dialler, Probes, ProbeStep
from whimbrel.services.probing.wire import Talk, in_words

SERVERS: Final = 5
"""Of a domain that are called, until one answers."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent if something is to be: `content` with CRLF and no line that begins with a dot."""

    sender: str
    recipient: str
    content: str


async def servers(probes: Probes, name: str, began: float) -> tuple[list[str], list[ProbeStep]]:
    """Those that take mail for `name`: what its MX says, else itself (it is a host, or has no MX)."""
    try:
        hosts = [entry.host for entry in await probes.resolver.mx(name)]
    except (NoSuchName, MailError):
        hosts = []
    if hosts == ["."]:
        text = f"{name} takes no mail: it has a null MX record"
        return [], [ProbeStep("look-up", text, time.monotonic() - began, {}, (f"{text}.",))]
    if not hosts:
        return [name], []
    facts = {"mx": ", ".join(hosts[:SERVERS])}
    return hosts[:SERVERS], [ProbeStep("look-up", f"MX of {name}: {facts['mx']}", time.monotonic() - began, facts)]


async def dial(
    dialler: Dialler, hosts: Sequence[str], port: int, hostname: str, chain: Chain, letter: Letter | None = None
) -> AsyncIterator[ProbeStep]:
    """Calls one after the other until one greets, and talks with that one."""
    for number, host in enumerate(hosts):
        call = _Call(host, port, hostname, chain, letter)
        async for step in call.steps(dialler):
            yield step
        if call.greeted or number == len(hosts) - 1:
            return


class _Call:
    """One server."""

    def __init__(self, host: str, port: int, hostname: str, chain: Chain, letter: Letter | None) -> None:
        self._host, self._port, self._hostname, self._chain, self._letter = host, port, hostname, chain, letter
        self._began = time.monotonic()
        self._replies = ReplyReader()
        self.greeted = False

    async def steps(self, dialler: Dialler) -> AsyncIterator[ProbeStep]:
        where = f"{self._host}:{self._port}"
        try:
            dialled = await dialler.open(self._host, self._port)
        except OSError as error:
            yield self._step("connect", f"{where} cannot be reached: {in_words(error)}", wrong=True)
            return
        talk = Talk(dialled.link)
        try:
            yield self._step("connect", f"connected to {talk.link.peer} from {talk.link.local}")
            async for step in self._dialogue(talk, dialled):
                yield step
        except OSError as error:
            yield self._step("result", f"the call ended: {in_words(error)}", wrong=True)
        except BadReply as error:
            yield self._step("result", f"the call ended: {error}", wrong=True)
        finally:
            await talk.close()

    async def _dialogue(self, talk: Talk, dialled: Dialled) -> AsyncIterator[ProbeStep]:
        greeting = await self._reply(talk)
        self.greeted = greeting.ok
        for step in self._shown(greeting):
            yield step
        if not greeting.ok:
            return
        extensions: Sequence[str] = ()
        async for step, reply in self._say(talk, f"EHLO {self._hostname}"):
            extensions = reply.lines if reply is not None and reply.ok else extensions
            yield step
        if any(line.upper() == "STARTTLS" for line in extensions):
            async for step in self._secure(talk, dialled):
                yield step
        else:
            yield self._step("tls", "STARTTLS is not offered: what is sent there can be read on its way", wrong=True)
        if self._letter is not None:
            async for step in self._deliver(talk, self._letter):
                yield step
        async for step, _ in self._say(talk, "QUIT"):
            yield step

    async def _secure(self, talk: Talk, dialled: Dialled) -> AsyncIterator[ProbeStep]:
        accepted = False
        async for step, reply in self._say(talk, "STARTTLS"):
            accepted = accepted or (reply is not None and reply.ok)
            yield step
        if not accepted:
            return
        await talk.start_tls()
        self._replies.clear()
        info = talk.link.tls
        if info is not None:
            facts = {"version": info.version, "cipher": info.cipher, "bits": str(info.bits)}
            yield self._step("tls", f"{info.version}, {info.cipher}, {info.bits} bits", facts)
        for step in await self._chain(dialled, time.monotonic() - self._began):
            yield step
        async for step, _ in self._say(talk, f"EHLO {self._hostname}"):
            yield step

    async def _deliver(self, talk: Talk, letter: Letter) -> AsyncIterator[ProbeStep]:
        for line in (f"MAIL FROM:<{letter.sender}>", f"RCPT TO:<{letter.recipient}>", "DATA"):
            refused = False
            async for step, reply in self._say(talk, line):
                refused = refused or (reply is not None and reply.code >= 400)
                yield step
            if refused:
                yield self._step("result", f"the message was refused at {line.partition(' ')[0]}", wrong=True)
                return
        yield self._step("sent", "(the message)")
        await talk.write(letter.content)
        taken = False
        async for step, reply in self._say(talk, "."):
            taken = taken or (reply is not None and reply.ok)
            yield step
        yield self._step("result", "the message was taken" if taken else "the message was refused", wrong=not taken)

    async def _say(self, talk: Talk, line: str) -> AsyncIterator[tuple[ProbeStep, Reply | None]]:
        yield self._step("sent", line), None
        await talk.write(line)
        reply = await self._reply(talk)
        for step in self._shown(reply):
            yield step, reply

    async def _reply(self, talk: Talk) -> Reply:
        while (reply := self._replies.next()) is None:
            self._replies.feed(await talk.read())
        return reply

    def _shown(self, reply: Reply) -> list[ProbeStep]:
        """A step for each line; a refusal is a problem."""
        last = len(reply.lines) - 1
        wrong = reply.code >= 400
        return [
            self._step(
                "received",
                f"{reply.code}{' ' if at == last else '-'}{reply.enhanced}{' ' if reply.enhanced else ''}{line}",
                wrong=wrong and at == last,
            )
            for at, line in enumerate(reply.lines)
        ]

    def _step(self, kind: str, text: str, facts: dict[str, str] | None = None, *, wrong: bool = False) -> ProbeStep:
        mark = {"sent": "> ", "received": "< "}.get(kind, "")
        problems = (f"{text[:1].upper()}{text[1:]}.",) if wrong else ()
        return ProbeStep(kind, mark + text, round(time.monotonic() - self._began, 3), facts or {}, problems)
