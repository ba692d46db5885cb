"""Lists of tags: `v=1; a=rsa-sha256; d=example.org`, as DKIM, ARC and DMARC write them.

Standards: RFC 6376 3.2 (tag-list), RFC 9989 4.7 (DMARC records are such lists)
"""

import re
from typing import Final

_SPEC: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=(.*)\Z", re.DOTALL)
_BLANK: Final = re.compile(r"[ \t\r\n]+")
MAX_TAGS: Final = 100


class TagError(Exception):
    """It is no list of tags."""


def tags(text: str) -> dict[str, str]:
    """By their names, which are told apart by case, in the order of the list; values without white space around.
    TagError: something is no tag, or stands there twice."""
    named: dict[str, str] = {}
    specs = text.split(";", MAX_TAGS + 1)
    if len(specs) > MAX_TAGS:
        raise TagError("there are too many tags")
    for number, spec in enumerate(specs):
        if not spec.strip(" \t\r\n"):
            if number < len(specs) - 1:
                raise TagError("a tag is empty")
            continue
        match = _SPEC.match(spec)
        if match is None:
            raise TagError("a part is not name=value")
        name, value = match[1], match[2].strip(" \t\r\n")
        if name in named:
            raise TagError(f"{name}= stands there twice")
        named[name] = value
    return named


def packed(value: str) -> str:
    """Without any white space: base64, and lists, may be folded anywhere."""
    return _BLANK.sub("", value)
