"""The parts of a message as values, for whoever does not speak IMAP: read from what the index keeps.

BODYSTRUCTURE says what each part is, the packed offsets where it lies; neither the message nor its header is read.

Standards: RFC 9051 7.5.2 (BODYSTRUCTURE), RFC 8621 4.1.4 (EmailBodyPart), RFC 2231 4 (charset of a parameter)
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from whimbrel.mail.decoding.charset import to_text
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.structure.mime import LEAF, MESSAGE, MULTIPART
from whimbrel.mail.structure.parts import Node, Span, Structure

MAX_DEPTH = 256
_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\{(\d{1,10})\}\r\n|([^ ()"{]+))', re.S)

Value = bytes | None | list["Value"]


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part. Texts are decoded; types, names of parameters, encoding and disposition are in lower case."""

    number: str
    """As IMAP calls it: `1.2`; empty for a message that is a multipart, and for a multipart within a message part."""
    type: str
    """`text/plain`."""
    parameters: Mapping[str, str]
    charset: str | None
    """Of a text part: what it says, else us-ascii."""
    disposition: str | None
    """`inline` and `attachment` are known to RFC 2183; others mean attachment."""
    filename: str | None
    content_id: str | None
    """Without its angle brackets."""
    description: str | None
    language: tuple[str, ...]
    location: str | None
    encoding: str
    """Of transfer: `7bit`, `base64` and so on; of a multipart `7bit`."""
    size: int
    """Octets of `body`, before any decoding."""
    header: Span
    body: Span
    parts: tuple["BodyPart", ...] = ()
    """Of a multipart; of a message/rfc822 the message within it."""

    def walk(self) -> Iterator["BodyPart"]:
        """It and all below, in the order of the message."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            pending.extend(reversed(part.parts))


def body_parts(bodystructure: bytes, offsets: bytes) -> BodyPart:
    """`bodystructure` in wire form and packed `offsets`, as rows have them. ValueError if they are not such, or do not
    belong together."""
    value, end = _value(bodystructure, 0, 0)
    if end != len(bodystructure) or not isinstance(value, list):
        raise ValueError("not a body structure")
    try:
        return _part(value, Structure.unpack(offsets).root, "", within="")
    except (IndexError, TypeError, AttributeError):
        raise ValueError("not a body structure") from None


def _value(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    match = _TOKEN.match(data, at)
    if not match or depth > MAX_DEPTH:
        raise ValueError("not a body structure")
    opens, closes, quoted, literal, atom = match.groups()
    if quoted is not None:
        return (re.sub(rb"\\(.)", rb"\1", quoted, flags=re.S) if b"\\" in quoted else quoted), match.end()
    if literal is not None:
        end = match.end() + int(literal)
        return data[match.end() : end], end
    if atom is not None:
        return (None if atom.upper() == b"NIL" else atom), match.end()
    if closes or not opens:
        raise ValueError("not a body structure")
    items: list[Value] = []
    at = match.end()
    while not data.startswith(b")", at):
        item, at = _value(data, at, depth + 1)
        items.append(item)
        while data.startswith(b" ", at):
            at += 1
    return items, at + 1


def _part(value: list[Value], node: Node, number: str, *, within: str) -> BodyPart:
    """`number`: its own; `within`: what stands before the numbers of its parts."""
    header, body = Span(node.header, node.text - node.header), Span(node.text, node.end - node.text)
    if isinstance(value[0], list):
        return _multipart(value, node, number, within, header, body)
    number = number or f"{within}1"
    main, sub = _lower(value[0]), _lower(value[1])
    parameters = _parameters(value[2])
    at, parts = 7, tuple[BodyPart, ...]()
    if node.kind == MESSAGE:
        inner = value[8]
        if not isinstance(inner, list):
            raise ValueError("not a body structure")
        parts = (_part(inner, node.children[0], "", within=f"{number}."),)
        at = 10
    elif node.kind != LEAF:
        raise ValueError("not the offsets of this body structure")
    elif main == "text":
        at = 8
    # After MD5: disposition, language, location.
    disposition, placed, language, location = _common(value[at + 1 :])
    content_id = _text(value[3])
    return BodyPart(
        number=number,
        type=f"{main}/{sub}",
        parameters=parameters,
        charset=parameters.get("charset", "us-ascii").lower() if main == "text" else None,
        disposition=disposition,
        filename=placed.get("filename") or parameters.get("name"),
        content_id=content_id.strip().removeprefix("<").removesuffix(">") if content_id else None,
        description=_text(value[4]),
        language=language,
        location=location,
        encoding=_lower(value[5]),
        size=body.length,
        header=header,
        body=body,
        parts=parts,
    )


def _multipart(value: list[Value], node: Node, number: str, within: str, header: Span, body: Span) -> BodyPart:
    count = next((at for at, item in enumerate(value) if not isinstance(item, list)), len(value))
    if node.kind != MULTIPART or count < len(node.children):
        raise ValueError("not the offsets of this body structure")
    # One that has no part is shown with an empty one, which lies nowhere.
    inside = f"{number}." if number else within
    pairs = enumerate(zip(value, node.children, strict=False), 1)
    parts = tuple(
        _part(each, child, f"{inside}{at}", within=f"{inside}{at}.")
        for at, (each, child) in pairs
        if isinstance(each, list)
    )
    parameters = _parameters(value[count + 1])
    disposition, placed, language, location = _common(value[count + 2 :])
    return BodyPart(
        number=number,
        type=f"multipart/{_lower(value[count])}",
        parameters=parameters,
        charset=None,
        disposition=disposition,
        filename=placed.get("filename") or parameters.get("name"),
        content_id=None,
        description=None,
        language=language,
        location=location,
        encoding="7bit",
        size=body.length,
        header=header,
        body=body,
        parts=parts,
    )


def _common(value: list[Value]) -> tuple[str | None, Mapping[str, str], tuple[str, ...], str | None]:
    """Disposition, its parameters, languages, location."""
    placed, language, location = (*value, None, None, None)[:3]
    name, parameters = (_lower(placed[0]), _parameters(placed[1])) if isinstance(placed, list) else (None, {})
    languages = language if isinstance(language, list) else [language]
    return name, parameters, tuple(_lower(each) for each in languages if each is not None), _text(location)


def _parameters(value: Value) -> Mapping[str, str]:
    if not isinstance(value, list):
        return {}
    decoded: dict[str, str] = {}
    for name, text in zip(value[::2], value[1::2], strict=True):
        if not isinstance(name, bytes) or not isinstance(text, bytes):
            raise ValueError("not a body structure")
        key = name.decode("ascii", "replace").lower()
        if key.endswith("*"):
            charset, _, rest = text.partition(b"'")
            decoded[key[:-1]] = to_text(unquote_to_bytes(rest.partition(b"'")[2]), charset.decode("ascii", "replace"))
        else:
            decoded.setdefault(key, words(text))
    return decoded


def _text(value: Value) -> str | None:
    return words(value) if isinstance(value, bytes) else None


def _lower(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ValueError("not a body structure")
    return value.decode("utf-8", "replace").lower()
