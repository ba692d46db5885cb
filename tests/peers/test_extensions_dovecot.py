"""LIST-EXTENDED, METADATA, QUOTA and PREVIEW, which no client at hand speaks: Dovecot and we answer the same commands
alike, but for names of quota roots and the order of what has none."""

import asyncio
import socket
from collections.abc import Iterator, Sequence

import pytest

from tests.support.dovecot import PASSWORD, Dovecot
from tests.support.imap_tree import Tree, read
from tests.unit.services.imapd.house import House, account

pytestmark = [pytest.mark.peer("dovecot"), pytest.mark.root]

PLAIN = b"Subject: one\r\n\r\nFirst words   of a\r\nplain  text.\r\n"
HTML = (
    b"Subject: two\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<html><head><style>p { color: red }</style></head><body><p>Only <b>shown</b> words</p></body></html>\r\n"
)
BOTH = (
    b"Subject: three\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nCaf=65 au lait\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>other</p>\r\n--b--\r\n"
)
EMPTY = b"Subject: four\r\n\r\n"

SCRIPTS = {
    "list": (
        "SUBSCRIBE INBOX", "CREATE Work", "CREATE Work/Sub", "CREATE Play", "SUBSCRIBE Work/Sub", "SUBSCRIBE Play",
        "DELETE Play",
        'LIST "" "%"', 'LIST "" "*"', 'LIST "" ""', 'LIST (SUBSCRIBED) "" "*"', 'LIST (SUBSCRIBED) "" "%"',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', 'LIST (SUBSCRIBED REMOTE) "" "*"', 'LIST "" ("W%" "INB*")',
        'LIST "" "%" RETURN (CHILDREN SUBSCRIBED)', 'LIST (SPECIAL-USE) "" "*"', 'LIST "" "*" RETURN (SPECIAL-USE)',
        'LIST "" "W*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))', 'LIST (RECURSIVEMATCH) "" "*"',
        'LIST (RECURSIVEMATCH REMOTE) "" "*"', 'LIST (WHATEVER) "" "*"', 'LIST "" "*" RETURN (WHATEVER)',
        'LIST "Work/" "%"', 'LIST "" "nothing*"', 'LSUB "" "*"', 'LSUB "" "%"',
    ),
    "metadata": (
        'SETMETADATA INBOX (/private/comment "my own")', "GETMETADATA INBOX /private/comment",
        "GETMETADATA INBOX (/private/comment)", 'SETMETADATA INBOX (/private/vendor/x/a "1" /private/vendor/x/b "22")',
        "GETMETADATA (DEPTH infinity) INBOX /private/vendor/x", "GETMETADATA (DEPTH 1) INBOX (/private/vendor/x)",
        "GETMETADATA (DEPTH 0) INBOX /private/vendor/x/a", "GETMETADATA (MAXSIZE 1) INBOX (/private/vendor/x/b)",
        "SETMETADATA INBOX (/private/comment NIL)", "GETMETADATA INBOX /private/comment",
        "GETMETADATA nothing /private/comment", 'SETMETADATA nothing (/private/comment "x")',
        'SETMETADATA INBOX (comment "x")', "GETMETADATA INBOX comment", 'SETMETADATA "" (/private/vendor/x/c "3")',
        'GETMETADATA "" /private/vendor/x/c', "GETMETADATA (DEPTH 2) INBOX /private/comment",
    ),
    "quota": (
        "GETQUOTAROOT INBOX", "GETQUOTA {root}", 'GETQUOTA "no such root"', "GETQUOTAROOT nothing",
    ),
    "preview": (
        "EXAMINE INBOX", "FETCH 1 (PREVIEW)", "FETCH 2 (PREVIEW)", "FETCH 3 (PREVIEW)", "FETCH 4 (PREVIEW)",
        "UID FETCH 1:4 (PREVIEW (LAZY))", "FETCH 1 (PREVIEW LAZY)",
    ),
}  # fmt: skip

EXTRA = """\
mail_plugins = quota
mail_attribute_dict = file:%h/attributes
protocol imap {
  mail_plugins = quota imap_quota
  imap_metadata = yes
}
plugin {
  quota = count:whole
  quota_vsizes = yes
  quota_rule = *:storage=10240:messages=100
}
"""
NAMESPACE = "namespace inbox {{\n  inbox = yes\n  separator = /\n{mailboxes}}}\n"
MAILBOX = '  mailbox "{name}" {{\n    special_use = {use}\n    auto = subscribe\n  }}\n'


class Wire:
    """Dovecot, spoken to line by line."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._file = self._socket.makefile("rb")
        self._file.readline()

    def ask(self, command: str) -> bytes:
        self._socket.sendall(b"t " + command.encode() + b"\r\n")
        said = b""
        while not said.startswith(b"t ") and b"\r\nt " not in said:
            line = self._file.readline()
            assert line, said
            said += line
            if line.endswith(b"}\r\n"):
                said += self._file.read(int(line[line.rindex(b"{") + 1 : -3]))
        return said

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def ours(script: Sequence[str]) -> list[bytes]:
    async def run() -> list[bytes]:
        async with House(accounts=(account(quota_bytes=10 << 20, quota_messages=100),)) as house:
            for content in (PLAIN, HTML, BOTH, EMPTY):
                await house.deliver(content)
            client = await house.signed_in()
            return [await client.say(b"t " + line.format(root="account").encode()) for line in script]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    (listed,) = ours(['LIST (SPECIAL-USE) "" "*"'])
    mailboxes = ""
    for line in listed.split(b"\r\n")[:-2]:
        words = read(line)
        assert isinstance(words[2], list) and isinstance(words[4], bytes)
        use = next(word for word in words[2] if isinstance(word, bytes) and b"Children" not in word)
        mailboxes += MAILBOX.format(name=words[4].decode(), use=use.decode())
    with Dovecot(extra=EXTRA + NAMESPACE.format(mailboxes=mailboxes)) as peer:
        yield peer


OPTIONAL = frozenset(rb"\HasChildren \HasNoChildren \UnMarked \Archive \Trash \Drafts \Junk \Sent".split())
"""Attributes that a server may tell even where they were not asked for. RFC 5258 4, RFC 6154 2"""
COMPARED = frozenset({b"LIST", b"LSUB", b"STATUS", b"METADATA", b"QUOTA", b"QUOTAROOT"})


def told(answer: bytes, root: bytes) -> tuple[bytes, list[str], list[frozenset[Tree]]]:
    """How a command ended; what was said before, comparable; and the attributes of each LIST response in it."""
    untagged, _, last = (b"\r\n" + answer).rpartition(b"\r\nt ")
    said: list[tuple[str, frozenset[Tree]]] = []
    for line in untagged.split(b"\r\n* ")[1:]:
        if line.startswith(b"OK "):
            continue
        words, attributes = read(line), frozenset[Tree]()
        if words[0] not in COMPARED and b"FETCH" not in words:
            continue
        if words[0] in (b"LIST", b"LSUB"):
            assert isinstance(words[1], list)
            attributes, words[1] = frozenset(word for word in words[1] if not isinstance(word, list)), None
        elif words[0] == b"METADATA":
            assert isinstance(words[2], list)
            words[2] = sorted([words[2][at : at + 2] for at in range(0, len(words[2]), 2)], key=str)
        said.append((str([b"root" if word == root else word for word in words]), attributes))
    said.sort(key=lambda one: one[0])
    return last.split(b" ")[0], [text for text, _ in said], [attributes for _, attributes in said]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_commands_get_the_same_answers(dovecot: Dovecot, name: str) -> None:
    wire = Wire(dovecot.imap)
    try:
        wire.ask(f"LOGIN {name} {PASSWORD}")
        for content in (PLAIN, HTML, BOTH, EMPTY):
            wire.ask(f"APPEND INBOX {{{len(content)}+}}\r\n{content.decode()}")
        theirs = [wire.ask(line.format(root="whole")) for line in SCRIPTS[name]]
    finally:
        wire.close()
    for line, one, other in zip(SCRIPTS[name], ours(SCRIPTS[name]), theirs, strict=True):
        *here, attributes = told(one, b"account")
        *there, wanted = told(other, b"whole")
        assert here == there, line
        for mine, its in zip(attributes, wanted, strict=True):
            assert its - OPTIONAL <= mine and mine - its <= OPTIONAL, (line, one, other)
