"""A dialogue shows every line of both sides, but no secret and no mail, however it is cut and wherever it begins."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from whimbrel.protocols.dialogue import DIALOGUES, MAX_LINE, ImapDialogue, Pop3Dialogue, SmtpDialogue

Said = list[tuple[str, str]]
SECRET, MAIL = "c2VjcmV0", "mail text"
SMTP = [
    ("S", "220 mx ready"), ("C", "EHLO x"), ("S", "250-mx"), ("S", "250 AUTH PLAIN"),
    ("C", f"AUTH PLAIN {SECRET}"), ("S", "535 no"), ("C", "AUTH LOGIN"), ("S", "334 VXNlcm5hbWU6"), ("C", SECRET),
    ("S", "334 UGFzc3dvcmQ6"), ("C", SECRET), ("S", "235 ok"),
    ("C", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA"), ("S", "250 ok\r\n250 ok\r\n354 go on"),
    ("C", f"Subject: {MAIL}\r\n\r\n..{MAIL}\r\nRSET\r\n."), ("S", "250 queued"),
    ("C", "MAIL FROM:<a@b>\r\nRCPT TO:<no@d>\r\nDATA"), ("S", "250 ok\r\n550 no\r\n503 no recipients"), ("C", "RSET"),
    ("S", "250 ok"), ("C", "BDAT 11\r\n" + MAIL + "\r\nBDAT 0 LAST"), ("S", "250 ok\r\n250 queued"), ("C", "QUIT"),
    ("S", "221 bye"),
]  # fmt: skip
IMAP = [
    ("S", "* OK ready"), ("C", f"a LOGIN joe {SECRET}"), ("S", "a NO no"), ("C", "b LOGIN {3}"), ("S", "+ go"),
    ("C", "joe {8}"), ("S", "+ go"), ("C", SECRET), ("S", "b OK in"), ("C", f"c AUTHENTICATE PLAIN {SECRET}"),
    ("S", "c NO no"), ("C", "d AUTHENTICATE PLAIN"), ("S", "+ "), ("C", SECRET), ("S", "d OK in"),
    ("C", "e APPEND INBOX {9+}\r\n" + MAIL), ("S", "e OK done"), ("C", "f FETCH 1 (BODY[] ENVELOPE)"),
    ("S", '* 1 FETCH (BODY[] {9}\r\n' + MAIL + f' ENVELOPE ("{MAIL}" NIL))\r\nf OK done'),
    ("C", "g IDLE"), ("S", "+ idling"), ("S", "* 2 EXISTS"), ("C", "DONE"), ("S", "g OK done"),
]  # fmt: skip
POP3 = [
    ("S", "+OK ready"), ("C", "USER joe"), ("S", "+OK"), ("C", f"PASS {SECRET}"), ("S", "-ERR no"),
    ("C", f"APOP joe {SECRET}"), ("S", "+OK in"), ("C", "AUTH PLAIN"), ("S", "+ "), ("C", SECRET), ("S", "-ERR no"),
    ("C", "LIST\r\nRETR 1\r\nTOP 1 0"), ("S", f"+OK\r\n1 20\r\n.\r\n+OK 20\r\n{MAIL}\r\n.\r\n+OK\r\n{MAIL}\r\n."),
    ("C", "QUIT"), ("S", "+OK bye"),
]  # fmt: skip
ALL = pytest.mark.parametrize(("kind", "said"), [(SmtpDialogue, SMTP), (ImapDialogue, IMAP), (Pop3Dialogue, POP3)])


def told(kind: Any, said: Said, cut: Callable[[bytes], list[bytes]] = lambda data: [data], begin: int = 0) -> list[str]:
    dialogue = kind()
    lines: list[str] = []
    for side, text in said[begin:]:
        for piece in cut(f"{text}\r\n".encode()):
            lines += [f"{side}: {line}" for line in (dialogue.client if side == "C" else dialogue.server)(piece)]
    return lines


@ALL
def test_no_secret_and_no_mail_is_shown_and_all_else_is(kind: Any, said: Said) -> None:
    lines = told(kind, said)
    assert SECRET not in "\n".join(lines) and MAIL not in "\n".join(lines)
    for _side, text in said:
        for line in text.split("\r\n"):
            hidden = any(word in line for word in (SECRET, MAIL, "{", "VXNl", "FETCH"))
            if not hidden and line not in (".", "+ ", "+ go"):
                assert any(line in shown for shown in lines), line


@ALL
def test_any_chunking_shows_the_same(kind: Any, said: Said) -> None:
    whole = told(kind, said)
    assert told(kind, said, lambda data: [data[i : i + 1] for i in range(len(data))]) == whole
    chance = random.Random(7)

    def cut(data: bytes) -> list[bytes]:
        at = sorted(chance.randrange(len(data)) for _ in range(2))
        return [data[: at[0]], data[at[0] : at[1]], data[at[1] :]]

    for _ in range(50):
        assert told(kind, said, cut) == whole


@ALL
def test_a_trace_that_begins_anywhere_shows_no_secret_and_no_mail(kind: Any, said: Said) -> None:
    for begin in range(len(said)):
        lines = "\n".join(told(kind, said, begin=begin))
        assert SECRET not in lines.replace("VXNlcm5hbWU6", "") and MAIL not in lines, begin


@ALL
def test_what_is_held_is_bounded(kind: Any, said: Said) -> None:
    dialogue = kind()
    list(dialogue.server(f"{said[0][1]}\r\n".encode()))
    for _ in range(64):
        assert list(dialogue.client(b"x" * 65536)) == []
    assert len(dialogue._client._held) <= 2 * MAX_LINE
    assert list(dialogue.client(b"\r\n")) == ["(a line too long to be shown)"]


def test_content_that_comes_before_it_was_asked_for_is_not_shown() -> None:
    dialogue = SmtpDialogue()
    list(dialogue.server(b"220 mx\r\n"))
    assert list(dialogue.client(b"DATA\r\nsecret text\r\n")) == ["DATA"]
    assert list(dialogue.server(b"354 go\r\n")) == ["354 go"]
    assert list(dialogue.client(b"more\r\n.\r\nQUIT\r\n")) == ["(19 octets)", "QUIT"]


def test_every_mail_service_has_a_dialogue() -> None:
    from whimbrel.app.services import SERVICES

    spoken = {service.name for service in SERVICES if service.process == "mail"}
    assert spoken <= DIALOGUES.keys()
