"""The commands of RFC 5321 and LMTP: order and syntax, each a function from what follows the verb to an event.

Standards: RFC 5321 4.1.1 (commands), 4.1.4 (order), 4.1.1.11 (parameters), 4.3.2 (replies), RFC 2033 4.1 (LHLO),
RFC 6531 3.4, 3.7.4 (addresses in UTF-8).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar

from whimbrel.protocols.smtp.offers import EXTENSIONS
from whimbrel.protocols.smtp.offers.extension import Extension, MailParameter, RcptParameter, Verb
from whimbrel.protocols.smtp.paths import read_mailbox, split_path
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.server_events import (
    Data,
    Expn,
    Fault,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    ServerEvent,
    Vrfy,
)
from whimbrel.protocols.smtp.state import Refusal, Role, State, Terms

K = TypeVar("K")
_DATA, _RSET, _NOOP, _QUIT = Data(), Rset(), Noop(), Quit()
_HTTP = Fault(Reply(421, "4.7.0", ("This is not a web server",)))


@lru_cache(256)
def offered(terms: Terms) -> tuple[str, ...]:
    """The lines of the EHLO reply, but for its first."""
    return tuple(line for extension in EXTENSIONS if (line := extension.offer(terms)))


@lru_cache(256)
def _active(terms: Terms) -> tuple[Extension, ...]:
    return tuple(extension for extension in EXTENSIONS if extension.offer(terms))


@lru_cache(256)
def _mail_parameters(terms: Terms) -> Mapping[str, MailParameter]:
    return {key: read for extension in _active(terms) for key, read in extension.mail.items()}


@lru_cache(256)
def _rcpt_parameters(terms: Terms) -> Mapping[str, RcptParameter]:
    return {key: read for extension in _active(terms) for key, read in extension.rcpt.items()}


def _helo(state: State, argument: str) -> ServerEvent:
    if state.role is Role.LMTP:
        raise Refusal(500, "5.5.1", "This is LMTP: send LHLO")
    return Helo(_name(state, argument), extended=False)


def _ehlo(state: State, argument: str) -> ServerEvent:
    if state.role is Role.LMTP:
        raise Refusal(500, "5.5.1", "This is LMTP: send LHLO")
    return Helo(_name(state, argument), extended=True)


def _lhlo(state: State, argument: str) -> ServerEvent:
    if state.role is not Role.LMTP:
        raise Refusal(500, "5.5.1", "This is SMTP: send EHLO")
    return Helo(_name(state, argument), extended=True)


def _name(state: State, argument: str) -> str:
    # RFC 5321 4.1.4: a name that cannot be verified is no reason to refuse; only its shape is looked at.
    # Quirk (Windows, cameras): names with blanks and umlauts; taken from users, who sign in. Programs that send such
    # to port 25 send nothing that anybody misses.
    if not argument or len(argument) > 255 or (" " in argument and state.role is not Role.SUBMISSION):
        raise Refusal(501, "5.5.4", "A host name or address literal is needed")
    return argument


def _mail(state: State, argument: str) -> ServerEvent:
    if not state.greeted:
        raise Refusal(503, "5.5.1", "Send LHLO first" if state.role is Role.LMTP else "Send EHLO first")
    if state.mail:
        raise Refusal(503, "5.5.1", "A transaction is under way already")
    path, rest = _path(argument, "FROM:", "5.1.7")
    try:
        mail = Mail(read_mailbox(path) if path else None)
    except ValueError as error:
        raise Refusal(501, "5.1.7", f"Bad sender address: {_brief(error)}") from None
    if rest:
        _parameters(mail, rest, _mail_parameters(state.terms) if _takes_parameters(state) else {}, state.terms)
    if not (mail.options.utf8 or argument.isascii()):
        raise Refusal(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
    return mail


def _rcpt(state: State, argument: str) -> ServerEvent:
    if not state.mail:
        raise Refusal(503, "5.5.1", "Send MAIL first", counts=not state.mail_refused)
    if state.chunking:
        raise Refusal(503, "5.5.1", "The content has begun")
    path, rest = _path(argument, "TO:", "5.1.3")
    if not (state.utf8 or argument.isascii()):
        raise Refusal(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
    try:
        rcpt = Rcpt(None if path.lower() == "postmaster" else read_mailbox(path))
    except ValueError as error:
        raise Refusal(501, "5.1.3", f"Bad recipient address: {_brief(error)}") from None
    if rest:
        _parameters(rcpt, rest, _rcpt_parameters(state.terms) if _takes_parameters(state) else {}, state.terms)
    return rcpt


def _data(state: State, argument: str) -> ServerEvent:
    _bare("DATA", argument)
    if not state.mail:
        raise Refusal(503, "5.5.1", "Send MAIL first", counts=not state.mail_refused)
    if state.chunking:  # RFC 3030 4.2
        raise Refusal(503, "5.5.1", "DATA and BDAT do not mix")
    if not state.recipients:
        raise Refusal(503 if state.role is Role.LMTP else 554, "5.5.1", "No valid recipients", counts=False)
    return _DATA


def _rset(_state: State, argument: str) -> ServerEvent:
    _bare("RSET", argument)
    return _RSET


def _noop(_state: State, _argument: str) -> ServerEvent:
    return _NOOP


def _quit(_state: State, argument: str) -> ServerEvent:
    _bare("QUIT", argument)
    return _QUIT


def _vrfy(_state: State, argument: str) -> ServerEvent:
    return Vrfy(_asked(argument, "VRFY needs a user or mailbox"))


def _expn(_state: State, argument: str) -> ServerEvent:
    return Expn(_asked(argument, "EXPN needs a list"))


def _asked(argument: str, lack: str) -> str:
    """What VRFY and EXPN are about. RFC 6531 3.7.4.2: with UTF-8 they say so by a parameter."""
    text, _, word = argument.rpartition(" ")
    utf8 = bool(text) and word.upper() == "SMTPUTF8"
    text = text if utf8 else argument
    if not text:
        raise Refusal(501, "5.5.4", lack)
    if not (utf8 or text.isascii()):
        raise Refusal(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")
    return text


def _help(_state: State, argument: str) -> ServerEvent:
    return Help(argument)


def _http(_state: State, _argument: str) -> ServerEvent:
    """A browser made to speak to us by a page (cross-protocol attack): its body must not be read as commands."""
    return _HTTP


def _bare(verb: str, argument: str) -> None:
    if argument:
        raise Refusal(501, "5.5.4", f"{verb} has no parameters")


def _path(argument: str, keyword: str, enhanced: str) -> tuple[str, str]:
    if argument[: len(keyword)].upper() != keyword:
        raise Refusal(501, "5.5.4", f"{keyword}<address> is needed")
    # Quirk (many scripts): `FROM: <a@b>`; the space is passed over.
    try:
        path, rest = split_path(argument[len(keyword) :].lstrip(" "))
    except ValueError as error:
        raise Refusal(501, enhanced, _brief(error)) from None
    if rest and not rest.startswith(" "):
        raise Refusal(501, "5.5.4", "Parameters are set apart by a space")
    return path, rest


def _takes_parameters(state: State) -> bool:
    # Quirk (scanners): HELO, then what only EHLO offers; from users we take it. RFC 5321 2.2.1
    return state.extended or state.role is Role.SUBMISSION


def _parameters(event: K, text: str, known: Mapping[str, Callable[[K, str | None, Terms], None]], terms: Terms) -> None:
    seen: set[str] = set()
    for word in text.split(" "):
        if not word:
            continue
        key, equals, value = word.partition("=")
        key = key.upper()
        read = known.get(key)
        if read is None:
            raise Refusal(555, "5.5.4", "A parameter is not known or not offered")
        if key in seen:
            raise Refusal(501, "5.5.4", f"{key} is given twice")
        seen.add(key)
        read(event, value if equals else None, terms)


def _brief(error: ValueError) -> str:
    """For a reply: without the address, which may be long."""
    return str(error).rpartition("'")[2].strip()[:100] or "syntax"


VERBS: dict[str, Verb] = {
    "HELO": _helo,
    "EHLO": _ehlo,
    "LHLO": _lhlo,
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _data,
    "RSET": _rset,
    "NOOP": _noop,
    "QUIT": _quit,
    "VRFY": _vrfy,
    "EXPN": _expn,
    "HELP": _help,
    "GET": _http,
    "POST": _http,
    "PUT": _http,
    "HEAD": _http,
    "OPTIONS": _http,
    "CONNECT": _http,
} | {verb: read for extension in EXTENSIONS for verb, read in extension.verbs.items()}
