"""The dialogues of `tests/transcript/smtp_client/*.txt`, from the client's side: `S:` is what the server says, `C:`
what we must say to it, and nothing else.

Words for the stage: `lmtp`, `nochunking`, `starttls`, `sign-in` (alice, secret), `to=a@b.test,c@d.test`, `twice` (the
message is sent again over the same session), `whole` (content is at hand when the envelope is sent), `utf8`,
`requiretls`, `ret=FULL`, `ret=HDRS`, `envid=X`, `notify=NEVER`; and what must come out: `results=250,550` in the order
of the recipients, `refused=CODE`, `lost` (some server may have taken it, or nobody can tell).
"""

from collections import deque
from pathlib import Path

import pytest

from tests.support.transcript import Dialogue, dialogues, pattern
from whimbrel.core.address import Address
from whimbrel.core.engine import Pause
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.core.values import Secret
from whimbrel.protocols.smtp.client import SmtpClient
from whimbrel.protocols.smtp.client_events import (
    ClientEvent,
    Finished,
    Goodbye,
    Greeting,
    Lost,
    NeedContent,
    Ready,
    Refused,
    SignedIn,
    TlsReady,
)

DIALOGUES = dialogues(Path(__file__).parent / "smtp_client")
CONTENT = b"Subject: hello\r\n\r\n.a dot\r\n"


class Caller:
    """Sends one message as an agent would, step by step."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.values = dict(word.split("=", 1) for word in words if "=" in word)
        self.client = SmtpClient(lmtp="lmtp" in words, chunking="nochunking" not in words)
        self.acts = deque(word for word in ("starttls", "sign-in") if word in words)
        self.acts += ["send"] * (2 if "twice" in words else 1) + ["quit"]
        self.results: list[str] = []
        self.refused = ""
        self.lost = False
        self.out = b""

    def hear(self, data: bytes) -> None:
        if data:  # Nothing would be the end of the connection.
            self.client.receive(data)
        while not isinstance(event := self.client.next_event(), Pause):
            self._meet(event)
        self.out += self.client.outgoing()

    def tls(self) -> None:
        self.client.tls_started()
        self.client.hello("mail.example.test")
        self.hear(b"")

    def _meet(self, event: ClientEvent) -> None:
        client = self.client
        if isinstance(event, Greeting):
            client.hello("mail.example.test")
        elif isinstance(event, Ready | SignedIn):
            self._act()
        elif isinstance(event, NeedContent):
            self.out += client.outgoing() + client.content(CONTENT) + client.content_end()
        elif isinstance(event, Finished):
            self.results += [str(reply.code) for reply in event.results]
            if client.reusable:
                self._act()
        elif isinstance(event, Lost):
            self.lost = event.unknown
            self.results += [str(reply.code) for reply in event.results]
        elif isinstance(event, Refused):
            self.refused = str(event.reply.code)
            if event.command == "STARTTLS" and client.reusable:
                self._act()
        else:
            assert isinstance(event, TlsReady | Goodbye), event

    def _act(self) -> None:
        match self.acts.popleft():
            case "starttls":
                self.client.start_tls()
            case "sign-in":
                self.client.sign_in("alice", Secret("secret"))
            case "send":
                self._send()
            case _:
                self.client.quit()

    def _send(self) -> None:
        notify = frozenset(Notify(word) for word in self.values.get("notify", "").split(",") if word)
        recipients = [
            Recipient(Address.parse(one), notify) for one in self.values.get("to", "bob@remote.test").split(",")
        ]
        options = MailOptions(
            size=len(CONTENT),
            utf8="utf8" in self.words,
            require_tls="requiretls" in self.words,
            ret="FULL" if self.values.get("ret") == "FULL" else "HDRS" if "ret" in self.values else "",
            envid=self.values.get("envid", ""),
        )
        whole = CONTENT if "whole" in self.words else None
        self.client.transaction(Address.parse("anna@example.test"), recipients, options, whole)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=str)
def test_dialogue(dialogue: Dialogue) -> None:
    caller = Caller(dialogue.words)
    for step in dialogue.steps:
        where = f"{dialogue.name}, line {step.number}"
        if step.kind == "S":
            assert b"\r\n" not in caller.out, f"{where}: before it hears that, the client said {caller.out!r}"
            caller.hear(step.text.encode() + b"\r\n")
        elif step.kind == "T":
            caller.tls()
        elif step.kind == "X":
            caller.client.lost("closed")
            caller.hear(b"")
        else:
            line, found, caller.out = caller.out.partition(b"\r\n")
            assert found, f"{where}: expected {step.text!r}, but the client says nothing"
            said = line.decode()
            assert pattern(step.text).match(said), f"{where}: expected {step.text!r}, got {said!r}"
    assert caller.out == b"", f"{dialogue.name}: the client said more: {caller.out!r}"
    wanted = caller.values.get("results", "")
    assert ",".join(caller.results) == wanted
    assert caller.refused == caller.values.get("refused", "")
    assert caller.lost is ("lost" in dialogue.words)


def test_there_are_dialogues() -> None:
    assert len(DIALOGUES) > 15
