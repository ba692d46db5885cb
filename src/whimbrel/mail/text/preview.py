"""The first words of a message, for lists of messages, and text out of HTML.

Bounded: looks at a few KiB of one part.

Standards: RFC 8970 3 (PREVIEW: at most 256 characters, better 200; decoded, white space folded)
"""

import html
import re

from whimbrel.mail.decoding.charset import to_text
from whimbrel.mail.decoding.encoded import content
from whimbrel.mail.structure.mime import DISPOSITION, LEAF, MULTIPART, TYPE, Part
from whimbrel.mail.structure.parameters import charset_of

MAX_PREVIEW = 200
_PLAIN_BYTES = 4096
_HTML_BYTES = (4096, 16384, 1 << 18)
"""More is read where the beginning holds style sheets and little text."""
_BREAKS = (
    "address|applet|article|aside|audio|blockquote|body|br|button|canvas|caption|center|col|colgroup|dd|details|dialog|dir|"
    "div|dl|dt|embed|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hgroup|hr|html|iframe|img|"
    "input|isindex|legend|li|listing|main|marquee|math|menu|meter|nav|noframes|object|ol|optgroup|option|p|plaintext|pre|"
    "progress|rp|rt|script|section|select|style|summary|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul|video|xmp"
)
"""Elements that end a word. All others, those that nobody knows too (`st1:place`), are set within a line. HTML 15.3"""
_ATTRIBUTES = r"""(?>=\s{0,9}(?:"[^"]{0,4000}"|'[^']{0,4000}')|[^<>])*+"""
"""In quotes behind an equals sign `>` ends no tag."""
_JOINING = rf"<(?!/?(?:{_BREAKS})[\s/>])(?:/?[a-z]|[?]|!(?!--))"
_JOINING_TAG = re.compile(rf"{_JOINING}{_ATTRIBUTES}>", re.IGNORECASE | re.ASCII)
_LOWER_JOINING_TAG = re.compile(rf"{_JOINING}[^<>]*>", re.ASCII)
_TAG = re.compile(rf"<[a-zA-Z/!?]{_ATTRIBUTES}>?")
_HIDDEN = re.compile(r"<(?:!--|(style|script|head|title)\b)", re.IGNORECASE)
_ENDS = {name: re.compile(rf"</{name}[^<>]*>?", re.IGNORECASE) for name in ("style", "script", "head", "title")}
_ENDS[""] = re.compile("-->")
_UNSEEN = str.maketrans("", "", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\x00")


def preview(message: bytes, root: Part) -> str:
    """From the first plain text part, else the first HTML part; empty if there is neither."""
    part = first_text(root)
    if part is None:
        return ""
    if part.sub != b"html":
        return _fold(_text(message, part, _PLAIN_BYTES))
    text = ""
    for count in _HTML_BYTES:
        cut = part.text + count < part.end
        text = _fold(html_text(_text(message, part, count), cut=cut))
        if len(text) >= MAX_PREVIEW - 1 or not cut:
            break
    return text


def _text(message: bytes, part: Part, count: int) -> str:
    """The first `count` octets of a part, decoded."""
    data = message[part.text : min(part.end, part.text + count)]
    encoding = part.encoding
    if encoding in (b"base64", b"quoted-printable"):
        data = content(data, encoding)
    return to_text(data, charset_of(part.fields[TYPE] or b""))


def first_text(root: Part) -> Part | None:
    """The part whose text is shown first: no attachment, no part of an attached message, plain before HTML."""
    other: Part | None = None
    rich: Part | None = None
    stack = [root]
    while stack:
        part = stack.pop()
        if part.kind == MULTIPART:
            stack.extend(reversed(part.children))
        elif part.kind == LEAF and part.main == b"text" and (part is root or not _attached(part)):
            if part.sub == b"html":
                rich = rich or part
            elif part.sub == b"plain" and part.end > part.text + 2:
                return part
            else:
                other = other or part
    return rich or other


def _attached(part: Part) -> bool:
    return (part.fields[DISPOSITION] or b"").lstrip()[:10].lower() == b"attachment"


def _fold(text: str) -> str:
    """White space becomes one space, quoted lines are left out if anything else is there."""
    if text.isascii():
        text = text.replace("\0", "")
    else:
        text = text.translate(_UNSEEN)
    if ">" in text and ("\n>" in text or text.startswith(">")):
        own = "\n".join(line for line in text.split("\n") if not line.startswith(">"))
        text = own if own.strip() else text
    # Most texts show 200 characters within their first few hundred.
    short = " ".join(text[:400].split())
    if len(short) < MAX_PREVIEW and len(text) > 400:
        short = " ".join(text.split())
    if len(short) > MAX_PREVIEW:
        short = short[:MAX_PREVIEW].rstrip()
    return short if short.isprintable() else "".join(char for char in short if char.isprintable())


def html_text(source: str, *, cut: bool = False) -> str:
    """What a reader would see, roughly: no tags, comments, styles, scripts; entities decoded, invisible characters
    left out. `cut`: more of the source follows, so that what hides text may end there."""
    pieces: list[str] = []
    endless: set[str] = set()
    at = 0
    for hidden in _HIDDEN.finditer(source):
        if hidden.start() < at:
            continue
        name = (hidden[1] or "").lower()
        if name in endless:
            continue
        stop = _ENDS[name].search(source, hidden.end())
        if not stop and cut:
            source = source[: hidden.start()]
            break
        if not stop:  # Nothing ends it: only its tag is left out.
            endless.add(name)
            continue
        pieces.append(source[at : hidden.start()])
        pieces.append(" " if name in ("head", "title") else "")
        at = stop.end()
    pieces.append(source[at:])
    text = html.unescape(_TAG.sub(" ", without_inline_tags("".join(pieces))))
    return text if text.isascii() and "\0" not in text else text.translate(_UNSEEN)


def without_inline_tags(source: str) -> str:
    """Tags of elements that end no word, and `<![if ...]>`, `<?xml ...>`, leave nothing behind; all others stay."""
    return _JOINING_TAG.sub("", source)


def without_plain_tags(source: str) -> str:
    """The same for a source in lower case without `<` and `>` in quotes, in a fifth of the time."""
    return _LOWER_JOINING_TAG.sub("", source)
