"""What must hold for every real mail."""

import re

import pytest

from tests.support.imap_tree import Tree, read
from whimbrel.mail.scan import scan, scan_body
from whimbrel.mail.structure import header
from whimbrel.mail.structure.parts import Node, Structure
from whimbrel.mail.text.searchable import searchable

pytestmark = pytest.mark.corpus


def test_every_mail_gives_well_formed_answers(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        found = scan(content)
        for wire in (found.envelope, found.bodystructure, scan_body(content)):
            assert len(read(wire)) == 1, name
        assert len(found.preview) <= 256 and "\n" not in found.preview, name
        assert found.subject == found.subject.casefold(), name


def test_the_header_and_the_text_are_the_message(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        structure = Structure.unpack(scan(content).parts)
        head, text = structure.locate("HEADER"), structure.locate("TEXT")
        assert head and text
        assert content[head.start : head.stop] + content[text.start : text.stop] == content, name
        # Picking every field gives the header back.
        names = {field.name for field in header.fields(content) if field.name}
        if all(field.name for field in header.fields(content)) and content[head.stop - 2 : head.stop] == b"\r\n":
            assert header.pick(content[: head.stop], names).rstrip() == content[: head.stop].rstrip(), name


def test_parts_lie_within_their_parents(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        check(Structure.unpack(scan(content).parts).root, 0, len(content), name)


def check(node: Node, start: int, stop: int, name: str) -> None:
    assert start <= node.header <= node.text <= node.end <= stop, name
    at = node.text
    for child in node.children:
        check(child, at, node.end, name)
        at = child.end


def test_bare_lf_gives_the_same_shape(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        crlf = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
        one, other = scan(crlf), scan(crlf.replace(b"\r\n", b"\n"))
        assert one.envelope == other.envelope, name
        assert without_sizes(read(one.bodystructure)[0]) == without_sizes(read(other.bodystructure)[0]), name
        assert (one.subject, one.from_, one.sent) == (other.subject, other.from_, other.sent), name


def without_sizes(tree: Tree) -> Tree:
    if isinstance(tree, list):
        if len(tree) > 7 and isinstance(tree[6], int):
            tree = [*tree[:6], 0, *tree[7:]]
        return [without_sizes(one) for one in tree]
    return tree


def test_searching_finds_words_of_the_text(corpus: dict[str, bytes]) -> None:
    for name, content in corpus.items():
        pieces = list(searchable(content))
        assert all(piece == piece.casefold() for piece in pieces), name
        subject = scan(content).subject.strip()
        if subject and "\ufffd" not in subject:
            assert any(subject in piece for piece in pieces), name
