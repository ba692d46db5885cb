"""Every mail of the corpus means the same to us as to Dovecot: ENVELOPE, BODYSTRUCTURE, BODY and each section.

Where we differ on purpose, the reason is here: as a rule if it concerns a kind of mail, else beside the mail's name.
"""

import imaplib
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.dovecot import Dovecot
from tests.support.imap_tree import Tree, fetched, read
from whimbrel.mail.scan import scan, scan_body
from whimbrel.mail.structure.parts import Structure

pytestmark = [pytest.mark.peer("dovecot"), pytest.mark.corpus, pytest.mark.root]

ON_PURPOSE = {
    "429df0532b4fbfe9": "`quoted-printable;` is still quoted-printable: without decoding nobody can read the part."
    " RFC 2045 6.1 allows nothing after the word, 6.4 is about words that are unknown.",
    "4f50c8832a83d8f0": "`a@b <a@b>`: the quotes around the name are missing. Only the address in angle brackets is"
    " complete (RFC 5322 3.4); Dovecot takes half of the name for it.",
    "6d59fc29b28e7fc1": "Two addresses without a comma (against RFC 5322 3.4): we show both, Dovecot drops the second.",
    "8bd22e5290dd1921": "An unquoted boundary with `=` in it (against RFC 2045 5.1). Taken whole it is the one that"
    " the message uses; Dovecot cuts it at `=` and sees the closing delimiter as one more part.",
    "217ee0aa6517f1c3": "No empty line behind a header (against RFC 5322 2.1). We begin the text where the fields end,"
    " as Postfix and Exim do; with Dovecot the text is part of the header, and nobody sees it.",
    "845b5f33dbd8014e": "The same.",
    "af961f1635d25015": "The same.",
    "6320050c58a789c5": "`<Undisclosed-Recipient:@host;>`: we keep the host, Dovecot says SYNTAX_ERROR.",
}

CRLF = b"\r\n"


class Difference(NamedTuple):
    where: str
    ours: object
    theirs: object


@pytest.fixture(scope="module")
def peer() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def stored(peer: Dovecot, corpus: dict[str, bytes]) -> Iterator[tuple[imaplib.IMAP4, dict[str, bytes]]]:
    """The corpus in a mailbox of Dovecot, in order; with CRLF everywhere, since that is how Dovecot gives it back."""
    mails = {name: re.sub(rb"\r\n|\r|\n", CRLF, content) for name, content in corpus.items()}
    client = peer.client("corpus")
    client.create("corpus")
    for content in mails.values():
        # imaplib's `append` would change line ends by its own rule, which is the same for these.
        assert client.append("corpus", "", "", content)[0] == "OK"  # type: ignore[arg-type]
    client.select("corpus", readonly=True)
    yield client, mails
    client.logout()


def fetch(client: imaplib.IMAP4, number: int, items: str) -> dict[bytes, Tree]:
    status, answer = client.fetch(str(number), items)
    assert status == "OK"
    return fetched(answer)


def test_envelope_and_structure_are_those_of_dovecot(stored: tuple[imaplib.IMAP4, dict[str, bytes]]) -> None:
    client, mails = stored
    wrong: dict[str, list[Difference]] = {}
    for number, (name, content) in enumerate(mails.items(), 1):
        theirs = fetch(client, number, "(ENVELOPE BODYSTRUCTURE BODY)")
        ours = scan(content)
        found = [
            *envelopes(read(ours.envelope)[0], theirs[b"ENVELOPE"], "ENVELOPE"),
            *structures(read(ours.bodystructure)[0], theirs[b"BODYSTRUCTURE"], "BODYSTRUCTURE"),
            *structures(read(scan_body(content))[0], theirs[b"BODY"], "BODY"),
        ]
        if found:
            wrong[name] = found
    assert {name: found for name, found in wrong.items() if name not in ON_PURPOSE} == {}
    assert set(ON_PURPOSE) <= set(wrong), "a difference that is no more should leave the table"


def test_every_section_is_that_of_dovecot(stored: tuple[imaplib.IMAP4, dict[str, bytes]]) -> None:
    client, mails = stored
    wrong: list[str] = []
    asked = 0
    for number, (name, content) in enumerate(mails.items(), 1):
        if name in ON_PURPOSE:
            continue
        structure = Structure.unpack(scan(content).parts)
        shape = fetch(client, number, "(BODYSTRUCTURE)")[b"BODYSTRUCTURE"]
        assert isinstance(shape, list)
        specs = ["", "HEADER", "TEXT", "77", *sections(shape, "")]
        asked += len(specs)
        theirs = fetch(client, number, "(" + " ".join(f"BODY.PEEK[{spec}]" for spec in specs) + ")")
        for spec in specs:
            span = structure.locate(spec)
            ours = content[span.start : span.stop] if span else b""
            there = theirs[f"BODY[{spec}]".encode()] or b""
            # RFC 2046 5.1.1: the line end before a delimiter is the delimiter's. Dovecot counts it to a multipart or
            # message that ends in a closing delimiter or in its header.
            if there != ours and not (span and there == ours + CRLF and content.startswith(b"\r\n--", span.stop)):
                wrong.append(f"{name} {spec}: {len(ours)} bytes, not {len(there)}")  # type: ignore[arg-type]
    assert wrong == []
    assert asked > 2000


def sections(shape: list[Tree], prefix: str) -> Iterator[str]:
    """Every section that a BODYSTRUCTURE promises."""
    children = [one for one in shape if isinstance(one, list) and isinstance(shape[0], list)]
    if not isinstance(shape[0], list):
        children = [shape]
    for number, child in enumerate(children, 1):
        if isinstance(shape[0], list) and not isinstance(shape[number - 1], list):
            return
        here = f"{prefix}{number}"
        yield here
        yield f"{here}.MIME"
        if isinstance(child[0], list):
            yield from sections(child, f"{here}.")
        elif is_message(child):
            yield f"{here}.HEADER"
            yield f"{here}.TEXT"
            inner = child[8]
            assert isinstance(inner, list)
            yield from sections(inner, f"{here}.")


def is_message(shape: list[Tree]) -> bool:
    return [one.lower() for one in shape[:2] if isinstance(one, bytes)] == [b"message", b"rfc822"]


def envelopes(ours: Tree, theirs: Tree, where: str) -> list[Difference]:
    """RFC 5322 2.2.3: unfolding takes out the line ends alone. Dovecot also makes one space of many in Subject and
    Content-Description."""
    return compare(folded(ours, (1,)), folded(theirs, (1,)), where)


def folded(tree: Tree, places: tuple[int, ...]) -> Tree:
    assert isinstance(tree, list)
    out = list(tree)
    for place in places:
        value = out[place] if place < len(out) else None
        if isinstance(value, bytes):
            out[place] = b" ".join(value.split())
    return out


def structures(ours: Tree, theirs: Tree, where: str) -> list[Difference]:
    """Trees of parts, compared by their kind."""
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        return compare(ours, theirs, where)
    if isinstance(ours[0], list) or isinstance(theirs[0], list):
        if len(ours) != len(theirs):
            return [Difference(where, ours, theirs)]
        found: list[Difference] = []
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            inner = isinstance(one, list) and isinstance(ours[0], list) and place < parts(ours)
            kind = structures if inner else compare
            found += kind(one, other, f"{where}.{place}")
        return found
    if theirs[:2] == [b"", b""]:
        # RFC 2045 5.2: a Content-Type that cannot be read stands for text/plain in us-ascii. Dovecot shows empty words.
        expected = [b"text", b"plain", [b"charset", b"us-ascii"]]
        same = ours[3:7] == theirs[3:7] and ours[8:] == theirs[7:]
        return [] if ours[:3] == expected and same else [Difference(where, ours, theirs)]
    if is_message(ours) and is_message(theirs):
        sizes = (ours[6], ours[9]), (theirs[6], theirs[9])
        # RFC 2046 5.1.1 as above: two bytes and one line.
        longer = isinstance(ours[6], int) and isinstance(ours[9], int) and sizes[1] == (ours[6] + 2, ours[9] + 1)
        found = [] if longer or sizes[0] == sizes[1] else [Difference(f"{where} size", *sizes)]
        found += envelopes(ours[7], theirs[7], f"{where}.7") + structures(ours[8], theirs[8], f"{where}.8")
        rest = [*ours[2:6], *ours[10:]], [*theirs[2:6], *theirs[10:]]
        return found + compare(folded(rest[0], (2,)), folded(rest[1], (2,)), where)
    return compare(lowered(folded(ours, (4,))), lowered(folded(theirs, (4,))), where)


def parts(shape: list[Tree]) -> int:
    return next((place for place, one in enumerate(shape) if not isinstance(one, list)), len(shape))


def lowered(tree: Tree) -> Tree:
    """Dovecot writes TEXT/PLAIN in lower case where all is default; case means nothing. RFC 2045 5.1"""
    assert isinstance(tree, list)
    return [one.lower() if place < 2 and isinstance(one, bytes) else one for place, one in enumerate(tree)]


def compare(ours: Tree, theirs: Tree, where: str) -> list[Difference]:
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [found for place, (one, other) in pairs for found in compare(one, other, f"{where}.{place}")]
    return [] if ours == theirs else [Difference(where, ours, theirs)]
