"""What a subject is without its decoration, for SORT and THREAD.

Standards: RFC 5256 2.1 (base subject)
"""

import re

_SPACE = re.compile(r"[ \t\r\n]+")
_BLOB = r"\[[^\[\]]*\] *"
_LEADER = re.compile(rf"(?:{_BLOB})*?(?:re|fwd?) *(?:{_BLOB})?: *", re.IGNORECASE)
_ONE_BLOB = re.compile(_BLOB)
_TRAILER = "(fwd)"
_WRAP = re.compile(r"\[fwd:(.*)\]\Z", re.IGNORECASE | re.DOTALL)
MAX_SUBJECT = 1000


def base_subject(subject: str) -> str:
    """`subject` is decoded text; the answer is for comparing, without regard to case."""
    return undecorated(subject)[0]


def is_reply(subject: str) -> bool:
    """It was decorated as a reply or forward. RFC 5256 2.1"""
    return undecorated(subject)[1]


def undecorated(subject: str) -> tuple[str, bool]:
    """Both of them."""
    text = _SPACE.sub(" ", subject[:MAX_SUBJECT]).strip()  # (1)
    reply = False
    while True:
        while True:  # (2)
            if text[-5:].lower() == _TRAILER:
                text, reply = text[:-5].rstrip(), True
            elif text.endswith(" "):
                text = text.rstrip()
            else:
                break
        while True:
            text = text.lstrip()
            leader = _LEADER.match(text)  # (3)
            if leader:
                text, reply = text[leader.end() :], True
                continue
            blob = _ONE_BLOB.match(text)  # (4): unless nothing would be left
            if blob and text[blob.end() :].strip():
                text = text[blob.end() :]
                continue
            break
        wrapped = _WRAP.match(text)  # (6)
        if not wrapped:
            return text, reply
        text, reply = wrapped[1].strip(), True
