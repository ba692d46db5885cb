"""What an admin call is: one declared, typed function, from which its route, schema and command-line verb derive.

    @call("domain", "add", help="Adds a domain.")
    async def domain_add(
        ctx: AdminContext, name: Annotated[Domain, "Name, such as example.org."],
        description: Annotated[str, "Free text."] = "",
    ) -> DomainView: ...

Parameters without a default, and those marked ARGUMENT, are the positional arguments of the verb, all others its
options. Text beside the type is the help; `Known("user")` says whose names a value is one of, `Between(1, 100)` what
bounds a number has. A call that is an async generator streams its results. What a call needs (right, server, store),
whose mail it shows, what of it a user may do for himself, and which version of a record it changes, stand in its
declaration: `invoke` enforces them, whatever the way in.
"""

import difflib
import inspect
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import cached_property
from typing import Any, Final, Literal, NoReturn, TypeVar

from whimbrel.core.rights import Right
from whimbrel.services.admin.numbers import ANY, Between

F = TypeVar("F", bound=Callable[..., Any])
PROBLEMS: Final = 6
"""Exit status when a check did its work and found something wrong."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


class Failure(Enum):
    """Why a call did not do its work, with the exit status of the command line and the status in HTTP."""

    REFUSED = ("refused", 1, 422)
    FORBIDDEN = ("forbidden", 1, 403)
    UNAUTHORIZED = ("unauthorized", 1, 401)
    """Nobody is signed in, or name and password do not fit."""
    REAUTHENTICATE = ("reauthenticate", 1, 403)
    """The password is to be given once more: `POST /api/session/reauthenticate`."""
    LOCKED = ("locked", 1, 429)
    """Too many failed sign-ins: `Retry-After` says for how long."""
    FAILED = ("failed", 1, 500)
    USAGE = ("usage", 2, 400)
    NOT_FOUND = ("not_found", 3, 404)
    METHOD = ("method", 2, 405)
    """The address is not asked in this way: `Allow` says how. RFC 9110 15.5.6"""
    UNAVAILABLE = ("unavailable", 4, 503)
    CONFLICT = ("conflict", 5, 409)
    """A configuration file was edited outside."""
    STALE = ("stale", 5, 412)
    """The record is no longer the version that the caller has seen. RFC 9110 13.1.1"""

    def __init__(self, word: str, exit_status: int, http_status: int) -> None:
        self.word, self.exit_status, self.http_status = word, exit_status, http_status


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one parameter, setting or line of a list."""

    name: str
    text: str
    pointer: str | None = None
    """Where it is in the body of the request (`pointers.py`); None: nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Differs:
    """A setting whose value in use is not that of the file on disk; None: it is not there."""

    path: str
    in_use: str | tuple[str, ...] | None
    on_disk: str | tuple[str, ...] | None


class CallError(Exception):
    """A call is refused: `text` says what happened, where, and what to do."""

    def __init__(
        self, kind: Failure, text: str, *fields: FieldFault, confirm: str = "", differs: "Sequence[Differs]" = ()
    ) -> None:
        """`confirm`: the words that must be typed for it to be done all the same. `differs`: settings that were edited
        outside."""
        super().__init__(text)
        self.kind, self.text, self.fields, self.confirm, self.differs = kind, text, fields, confirm, tuple(differs)
        self.well_formed = False
        """The request is as the schema has it; only what it asks for cannot be."""

    @property
    def http_status(self) -> int:
        """RFC 9110 15.5.1 for what is no request of ours, 15.5.21 for one whose values do not go together."""
        meant = self.kind is Failure.USAGE and self.well_formed
        return Failure.REFUSED.http_status if meant else self.kind.http_status


def not_found(what: str, name: str, hint: str = "") -> NoReturn:
    """`There is no user x@y; did you mean ...?`"""
    raise CallError(Failure.NOT_FOUND, f"There is no {what} '{name}'{hint}")


@dataclass(frozen=True, slots=True)
class Known:
    """A value names a record: `domain`, `user`, `alias`, `group`, `template`, `setting`, `message`, `service`. The call
    that lists them says so by `names=`, and completion asks it."""

    noun: str


class Positional(Enum):
    """Marks a parameter that may be left out and still is an argument of the verb, not an option."""

    ARGUMENT = 1


ARGUMENT: Final = Positional.ARGUMENT
RESERVED: Final = frozenset({"json", "as_json", "quiet", "wide", "yes", "dry_run", "confirm_words", "wait"})
"""Options of every command: no parameter may be called so."""


class FileText(str):
    """The text of a file that the person names; the command line reads it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a call. `kind` is the type of one value, without `| None` and `tuple[...]`."""

    name: str
    annotation: Any
    kind: Any
    help: str
    required: bool
    default: Any
    many: bool
    known: str
    positional: bool
    bounds: Between = ANY
    """Of a number."""

    @property
    def option(self) -> str:
        """Its name as people write it."""
        return self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it may have; empty where they are not counted."""
        if typing.get_origin(self.kind) is Literal:
            return tuple(str(value) for value in typing.get_args(self.kind))
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            return tuple(str(member.value) for member in self.kind)
        return ()


class Needs(Flag):
    """What must be there for a call. Without a server the command line opens what is named here, and nothing else."""

    FILES = 0
    """The two configuration files."""
    SERVER = auto()
    """A running server."""
    STORE = auto()
    """The mail store and the queue."""
    NO_SERVER = auto()
    """No running server: work on files that one holds open."""
    STORE_IF_ANY = auto()
    """The mail store, where there is one already."""


@dataclass(frozen=True, slots=True)
class Own:
    """What a user without administrative rights may do by a call: to the account that `parameter` names, his own, and
    with no other parameters than `fields`."""

    parameter: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose mail a call shows, as the security log tells it. `domain` empty: perhaps everybody's."""

    text: str
    domain: str = ""


ShowsMail = Callable[..., Awaitable[Whose]]
"""`(ctx, **values)`: whose mail the call is about to show. CallError."""
Version = Callable[..., Awaitable[str]]
"""`(ctx, **values)`: a short text that changes whenever the record changes that the call shows or changes."""


@dataclass(frozen=True)
class Call:
    """A declared call. `reads`: it changes nothing. `right`: what a caller needs."""

    noun: str
    verb: str
    run: Callable[..., Any]
    help: str
    reads: bool = False
    right: Right = Right.SERVER_WRITE
    needs: Needs = Needs.FILES
    confirm: "str | Question" = ""
    """The question before it is done; empty: no question. `{name}` stands for a parameter. A function asks about what
    would happen: counts, sizes, what becomes of the mail."""
    problems: str = ""
    """Field of the result that holds what a check found."""
    shows: str = ""
    """Field of the result that is all a person wants to see."""
    shows_mail: ShowsMail | None = None
    """It shows people's mail: needs the right to, and each use stands in the security log."""
    own: Own | None = None
    version: Version | None = None
    """With it the call answers a version, or refuses to change another one than the caller has seen."""
    names: tuple[str, str] = ("", "")
    """It lists names: of what (`message`), and the field of its rows that holds them (`id`)."""
    repairs: bool = False
    """It works while the configuration files cannot be read."""
    dangerous: bool = False
    """It may ask for words to be typed before it does what is dangerous."""
    operation: bool = False
    """It may take long: a running server does it on its own, and whoever asked may go away meanwhile."""

    live: bool = False
    """What it streams is news: each item matters when it comes."""
    reauthenticate: bool = False
    """A person gives the password once more before it, unless that was within the last minutes."""

    @property
    def reauthenticates(self) -> bool:
        """What shows people's mail does so as well."""
        return self.reauthenticate or self.shows_mail is not None

    @property
    def shows_secret(self) -> bool:
        """It answers with a secret, this once and to who asked alone: not as an operation, whose answers can be
        watched, and not for many at once."""
        return self.shows in ("token", "link")

    @property
    def needs_server(self) -> bool:
        return Needs.SERVER in self.needs

    @property
    def name(self) -> str:
        return f"{self.noun} {self.verb}".strip()

    @property
    def path(self) -> str:
        return f"/api/admin/{self.noun}/{self.verb}".rstrip("/")

    @property
    def streams(self) -> bool:
        return inspect.isasyncgenfunction(self.run)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.run, include_extras=True)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        declared = list(inspect.signature(self.run).parameters.values())[1:]
        return tuple(_parameter(parameter, self._hints[parameter.name]) for parameter in declared)

    @cached_property
    def result(self) -> Any:
        """The type of what it returns; of each item if it streams."""
        hint = self._hints["return"]
        if self.streams and typing.get_origin(hint) is AsyncIterator:
            return typing.get_args(hint)[0]
        return hint


Question = Callable[..., Awaitable[str]]
"""`(ctx, **values)`: what is asked before a call is done; it changes nothing. CallError."""


def call(
    noun: str,
    verb: str = "",
    *,
    help: str,
    reads: bool = False,
    right: Right | None = None,
    needs: Needs = Needs.FILES,
    confirm: str | Question = "",
    problems: str = "",
    shows: str = "",
    shows_mail: ShowsMail | None = None,
    own: Own | None = None,
    version: Version | None = None,
    names: tuple[str, str] = ("", ""),
    repairs: bool = False,
    dangerous: bool = False,
    operation: bool = False,
    live: bool = False,
    reauthenticate: bool = False,
) -> Callable[[F], F]:
    """Declares a function as an admin call; the table in `services/admin/__init__.py` names its module."""

    def declare(function: F) -> F:
        least = right or (Right.SERVER_READ if reads else Right.SERVER_WRITE)
        function.__dict__["call"] = Call(
            noun, verb, function, help, reads, least, needs, confirm, problems, shows, shows_mail, own, version,
            names, repairs, dangerous, operation, live, reauthenticate,
        )  # fmt: skip
        return function

    return declare


def _parameter(parameter: inspect.Parameter, annotation: Any) -> Parameter:
    if parameter.name in RESERVED:
        raise TypeError(f"{parameter.name} is an option of every command: call the parameter otherwise")
    help_text, known, kind, positional, bounds = "", "", annotation, False, ANY
    if typing.get_origin(annotation) is typing.Annotated:
        kind, *extra = typing.get_args(annotation)
        for item in extra:
            if isinstance(item, str):
                help_text = item
            elif isinstance(item, Known):
                known = item.noun
            elif isinstance(item, Between):
                bounds = item
            elif item is ARGUMENT:
                positional = True
    kind = _without_none(kind)
    many = typing.get_origin(kind) is tuple
    if many:
        kind = typing.get_args(kind)[0]
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    return Parameter(
        parameter.name, annotation, kind, help_text, required, default, many, known, required or positional, bounds
    )


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [arm for arm in typing.get_args(kind) if arm is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return kind
