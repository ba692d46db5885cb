"""SEARCH, SORT, THREAD and BINARY over the corpus: what we find, order and decode is what Dovecot does.

Where we differ on purpose, the reason stands beside the mail.
"""

import asyncio
import imaplib
import re
from collections.abc import Iterator

import pytest

from tests.support.dovecot import Dovecot
from tests.unit.services.imapd.house import House
from whimbrel.mail.scan import scan
from whimbrel.mail.structure.mime import LEAF
from whimbrel.mail.structure.parts import Structure

pytestmark = [pytest.mark.peer("dovecot"), pytest.mark.corpus, pytest.mark.root]

SEARCHES = (
    'FROM "example"', 'FROM "com"', 'TO "list"', 'SUBJECT "re"', 'SUBJECT "test"', 'CC "a"', 'BODY "meeting"',
    'BODY "the"', 'TEXT "please"', 'TEXT "unsubscribe"', 'BODY "zzqzz"', 'HEADER "X-Mailer" ""',
    'HEADER "Received" "with"', "LARGER 10000", "SMALLER 2000", "SENTSINCE 1-Jan-2015", "SENTBEFORE 1-Jan-2010",
    'NOT FROM "com"', 'OR SUBJECT "re" BODY "hello"', 'SUBJECT "re" NOT BODY "the"',
)  # fmt: skip
SORTS = (
    "(ARRIVAL)",
    "(SIZE)",
    "(REVERSE SIZE)",
    "(DATE)",
    "(SUBJECT)",
    "(FROM)",
    "(TO)",
    "(CC SUBJECT)",
    "(DISPLAYFROM)",
)
THREADS = ("ORDEREDSUBJECT", "REFERENCES", "REFS")


ODD = {
    "0c44e1b9487ba117": "A path of UUCP for an address: we look through the field as it is, Dovecot drops it.",
    "0eeb5947b59cb0ef": "A comment within the group's name, a Date folded after its first word.",
    "217ee0aa6517f1c3": "multipart/mixed without a boundary is read as text (RFC 2045 5.2), Dovecot reads nothing.",
    "28ea7766ed7dfa0a": "Content-Transfer-Encoding `plain` does not exist; the text is readable all the same.",
    "41f9c0d256d6bb16": "An encoding that is unknown: the text is readable all the same.",
    "a473dd97b00ef1e0": "Text in a message of a digest.",
    "e6dd9028b40ae6fa": "Content-Transfer-Encoding `8bits`: the text is readable all the same.",
    "8bd22e5290dd1921": "A date in the year 3609, which Dovecot takes for none.",
    "680ff75ec3403b11": "A date before 1970, which Dovecot takes for none.",
    "22c7f3f1a19f37a2": "A date in the year 1, an address without a domain.",
    "62e4fa5cfa9daccc": "A date in the year 1.",
    "c070d676f7196589": "A date in the year 1.",
    "8aaf8745405811a6": "`Date: Whenever`: we find it neither before nor after anything, Dovecot takes it for 1970.",
    "c96ef8735b51e7fc": "A date of words that are none.",
    "04121e20e9037dc1": "Raw Latin-1 in the subject: we guess its charset (RFC 9051 knows none), Dovecot does not.",
    "8aaa31047f56455d": "Raw UTF-8 in addresses (RFC 6532), which Dovecot 2.3 does not take for letters.",
}
"""Mails on which we differ on purpose; each is left out of the comparison."""


class Judge:
    """The same mails in Dovecot and with us, under the same numbers."""

    def __init__(self, peer: imaplib.IMAP4, mails: dict[str, bytes]) -> None:
        self.peer, self.mails, self.names = peer, mails, list(mails)

    def theirs(self, command: str) -> bytes:
        kind, answer = self.peer._simple_command(*command.split(" ", 1))  # type: ignore[attr-defined]
        assert kind == "OK", answer
        name = command.split(" ")[0].removeprefix("UID ")
        found = self.peer.response(name)[1]
        return b" ".join(found[0].split()) if found and found[0] else b""

    def ours(self, *commands: str) -> list[bytes]:
        async def run() -> list[bytes]:
            async with House() as house:
                for content in self.mails.values():
                    await house.deliver(content)
                client = await house.signed_in(b"EXAMINE INBOX")
                answers: list[bytes] = []
                for command in commands:
                    lines = (await client.say(b"t " + command.encode())).split(b"\r\n")
                    answers.append(lines[0].removeprefix(b"* ").partition(b" ")[2])
                return answers

        return asyncio.run(run())


@pytest.fixture(scope="module")
def judge(corpus: dict[str, bytes]) -> Iterator[Judge]:
    mails = {
        name: re.sub(rb"\r\n|\r|\n", b"\r\n", content)
        for name, content in corpus.items()
        if name.removesuffix(".eml") not in ODD and re.search(rb"(?im)^date:[ \t]*\S", content)
    }
    with Dovecot() as peer:
        client = peer.client("content")
        client.create("corpus")
        for content in mails.values():
            when = '"09-Sep-2001 01:46:40 +0000"'
            assert client.append("corpus", "", when, content)[0] == "OK"  # type: ignore[arg-type]
        client.select("corpus", readonly=True)
        yield Judge(client, mails)
        client.logout()


def test_search(judge: Judge) -> None:
    answers = judge.ours(*[f"SEARCH {one}" for one in SEARCHES])
    different: dict[str, object] = {}
    for key, ours in zip(SEARCHES, answers, strict=True):
        mine, theirs = set(ours.split()), set(judge.theirs(f"SEARCH {key}").split())
        if mine != theirs:
            different[key] = (
                [judge.names[int(one) - 1] for one in mine - theirs],
                [judge.names[int(one) - 1] for one in theirs - mine],
            )
    assert not different


def test_sort(judge: Judge) -> None:
    answers = judge.ours(*[f"SORT {keys} UTF-8 ALL" for keys in SORTS])
    different: dict[str, object] = {}
    for keys, ours in zip(SORTS, answers, strict=True):
        theirs = judge.theirs(f"SORT {keys} UTF-8 ALL")
        if ours != theirs:
            pairs = [
                (judge.names[int(one) - 1], judge.names[int(other) - 1])
                for one, other in zip(ours.split(), theirs.split(), strict=True) if one != other
            ]  # fmt: skip
            different[keys] = (len(pairs), pairs[:4])
    assert not different


def threads(answer: bytes) -> list[bytes]:
    """The threads of an answer, each with what is below it."""
    found: list[bytes] = []
    depth = start = 0
    for at, char in enumerate(answer):
        depth += (char == 0x28) - (char == 0x29)
        if not depth:
            found.append(answer[start : at + 1])
            start = at + 1
    return found


def test_thread(judge: Judge) -> None:
    answers = judge.ours(*[f"THREAD {name} UTF-8 ALL" for name in THREADS])
    for name, answer in zip(THREADS, answers, strict=True):
        ours, theirs = threads(answer), threads(judge.theirs(f"THREAD {name} UTF-8 ALL"))
        if name == "REFS":  # The order of threads with equal dates is nowhere laid down.
            ours, theirs = sorted(ours), sorted(theirs)
        assert ours == theirs, name


def test_binary(judge: Judge) -> None:
    """Each numbered part that Dovecot gives decoded, by size and by octets."""
    structured = judge.names[:40]
    asked = [
        (number, part)
        for number, name in enumerate(structured, 1)
        for part in ("1", "2")
        if (node := Structure.unpack(scan(judge.mails[name]).parts).root.numbered(int(part))) and node.kind == LEAF
    ]  # A part that holds parts has no encoding of its own (RFC 2045 6.4); Dovecot decodes what is in it.
    ours = judge.ours(*[f"FETCH {number} (BINARY.SIZE[{part}])" for number, part in asked])
    compared = 0
    for (number, part), answer in zip(asked, ours, strict=True):
        kind, _ = judge.peer._simple_command("FETCH", str(number), f"(BINARY.SIZE[{part}])")  # type: ignore[attr-defined]
        found = judge.peer.response("FETCH")[1]
        mine = re.search(rb"BINARY.SIZE\[[\d.]+\] (\d+)", answer)
        theirs = re.search(rb"BINARY.SIZE\[[\d.]+\] (\d+)", found[0]) if kind == "OK" and found and found[0] else None
        if mine and theirs:
            compared += 1
            assert mine[1] == theirs[1], (judge.names[number - 1], part)
    assert compared > 30
