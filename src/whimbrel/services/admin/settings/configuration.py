"""Calls about settings (mission S16); `config_files.py` has those about the two files."""

import ipaddress
import re
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from whimbrel.core.rights import Right
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import (
    ARGUMENT,
    CallError,
    Failure,
    FieldFault,
    FileText,
    Known,
    Needs,
    call,
    nearest,
)
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.server.services import apply_services
from whimbrel.services.admin.views import Page, TextView, Words, done
from whimbrel.services.probing.ports import ProbeStep

if TYPE_CHECKING:
    from whimbrel.core.config import Setting


@dataclass(frozen=True, slots=True)
class SettingRow:
    path: str
    value: str | tuple[str, ...]
    is_default: bool
    help: Words


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting and all that its declaration says of it."""

    path: str
    help: str
    kind: str
    value: str | tuple[str, ...]
    default: str | tuple[str, ...]
    is_default: bool
    choices: tuple[str, ...]
    minimum: str
    maximum: str
    applies: str
    advanced: bool
    group: str
    """Under which heading a form shows it."""
    ordered: bool
    """A list whose order counts."""
    columns: tuple[str, ...]
    """Of a list of sections: the settings of one entry."""
    shown_if: str
    """`delivery/way = relay`: it means something only then."""
    examples: tuple[str, ...]
    ref: str
    """The kind of record that it names."""
    enabled_if: str
    """It can be changed only then."""
    danger: str
    """What a dangerous value does."""
    danger_words: str
    """That must be typed for it: `--confirm WORDS`."""
    danger_values: tuple[str, ...]
    """Which values are dangerous; none: any change."""
    check: str
    """Of what kind the test of `config test` is; empty: there is none."""


@dataclass(frozen=True, slots=True)
class SettingValue:
    path: str
    value: str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Paths of settings that changed; `restart` are those of them that wait for a restart of the server."""

    paths: tuple[str, ...]
    restart: tuple[str, ...]
    text: str


Path = Annotated[str, "Path of the setting, such as smtp/max-message-size.", Known("setting")]


async def _version(ctx: AdminContext, path: str | tuple[str, ...], **_values: object) -> str:
    """Of one setting, or of several: whatever they are called, what they are set to."""
    named = path if isinstance(path, tuple) else (path,)
    if not isinstance(path, tuple) and (pair := _pair(path)):
        more = _values.get("value")
        rest = [own[0] for each in (more if isinstance(more, tuple) else ()) if (own := _pair(str(each)))]
        named = (pair[0], *rest)
    known = [_known(ctx, each) for each in named]
    state = [(setting.path, setting.value, setting.is_default) for setting in known if setting is not None]
    from whimbrel.services.admin.versions import digest  # Here: it stands on the calls about records.

    return digest(state)


@call("config", "get", reads=True, shows="value", version=_version, help="Shows the value of a setting.")
async def config_get(ctx: AdminContext, path: Path) -> SettingValue:
    return SettingValue(path, ctx.config.get(path))


@call("config", "describe", reads=True, version=_version, help="Shows a setting with all that is known of it.")
async def config_describe(ctx: AdminContext, path: Path) -> SettingView:
    setting = ctx.config.describe(path)
    return SettingView(
        setting.path, setting.help, setting.kind, setting.value, setting.default, setting.is_default, setting.choices,
        setting.minimum, setting.maximum, setting.applies, setting.advanced, setting.group, setting.ordered,
        setting.columns, setting.shown_if, setting.examples, setting.ref, setting.enabled_if, setting.danger,
        setting.danger_words, setting.danger_values, setting.check,
    )  # fmt: skip


TEST_TIME: Final = 60.0
"""Seconds that a test may take in all."""


@call(
    "config", "test", right=Right.SERVER_WRITE, needs=Needs.SERVER, problems="problems", live=True,
    help="Tries a value before it is set: a server is called, a file read, a name looked up. Changes nothing.",
)  # fmt: skip
async def config_test(
    ctx: AdminContext,
    path: Path,
    value: Annotated[tuple[str, ...], "The value as it would be; unless given the one in use.", ARGUMENT] = (),
    beside: Annotated[tuple[str, ...], "Another setting as it would be: delivery/relay-port=587."] = (),
    secret: Annotated[Secret | None, "The value of a setting that is secret."] = None,
) -> AsyncIterator[ProbeStep]:
    from whimbrel.services.admin.settings.value_trial import trial

    async for step in trial(ctx, path, value, secret, _pairs(ctx, beside), TEST_TIME):
        yield step


@call("config", "list", reads=True, names=("setting", "path"), help="Lists settings with their values.")
async def config_list(
    ctx: AdminContext,
    below: Annotated[str, "Only settings below this path, such as smtp.", ARGUMENT] = "",
    changed: Annotated[bool, "Only those that differ from the default."] = False,
) -> Page[SettingRow]:
    below = below.strip("/")
    chosen = [s for s in ctx.config.settings() if not below or s.path == below or s.path.startswith(f"{below}/")]
    if below and not chosen:
        ctx.config.describe(below)  # Says which name is nearest.
    return Page(tuple(map(_row, (setting for setting in chosen if not (changed and setting.is_default)))))


@call("config", "search", reads=True, help="Finds settings by words in their path or description.")
async def config_search(
    ctx: AdminContext, words: Annotated[tuple[str, ...], "Words that must all be there."]
) -> Page[SettingRow]:
    return Page(tuple(map(_row, ctx.config.search(" ".join(words)))))


def _row(setting: "Setting") -> SettingRow:
    return SettingRow(setting.path, setting.value, setting.is_default, setting.help)


@call(
    "config",
    "set",
    version=_version,
    dangerous=True,
    help="Sets a setting; a list takes several values. Settings that belong together are set in one change: config set "
    "tls/certificate=FILE tls/private-key=FILE. See config add and config remove for members of a list.",
)
async def config_set(
    ctx: AdminContext,
    path: Annotated[str, "Path of the setting, or PATH=VALUE, which may be followed by more.", Known("setting")],
    value: Annotated[tuple[str, ...], "The value, such as 80M or yes.", ARGUMENT] = (),
    secret: Annotated[Secret | None, "The value of a setting that is secret."] = None,
) -> Changed:
    if _pair(path):
        if secret is not None:
            raise CallError(Failure.USAGE, "a setting that is secret is set alone, by its path and --secret-file")
        return await change_settings(ctx, _pairs(ctx, (path, *value)))
    # The declaration tells a list from one value, and what is secret, also in an entry that is yet to be made.
    known = _known(ctx, path)
    if known is not None and known.kind == "password":
        if value:
            raise CallError(
                Failure.USAGE,
                f"{path} is secret and other users could see it on a command line; give it by --secret-file",
            )
        if secret is None:
            raise CallError(Failure.USAGE, f"{path} is secret: give it by --secret-file", FieldFault("secret", path))
        return await change_settings(ctx, {path: secret})
    if secret is not None:
        raise CallError(Failure.USAGE, f"{path} is not secret: give its value as an argument")
    if known is not None and known.kind == "list":
        return await change_settings(ctx, {path: tuple(text for text in value if text)})
    if len(value) != 1:
        wanted = "a value is missing" if not value else "one value is meant"
        raise CallError(Failure.USAGE, f"{path}: {wanted}; see `whimbrel config describe {path}`")
    return await change_settings(ctx, {path: value[0]})


_STEP: Final = r"[A-Za-z0-9-]+(?:\[[^\[\]]*\])?"
# With something between two steps: else a long path could be cut into steps in 2^n ways, and each would be tried.
_PAIR: Final = re.compile(rf"({_STEP}(?:/{_STEP})*/?)=(.*)", re.DOTALL)


def _pair(text: str) -> tuple[str, str] | None:
    """`smtp/timeout=5m` taken apart."""
    match = _PAIR.fullmatch(text)
    return (match[1], match[2]) if match else None


def _pairs(ctx: AdminContext, texts: tuple[str, ...]) -> dict[str, object]:
    """Several PATH=VALUE; a list is named once for each of its members. CallError."""
    values: dict[str, object] = {}
    for text in texts:
        pair = _pair(text)
        if pair is None:
            raise CallError(Failure.USAGE, f"'{text}': PATH=VALUE is meant, as in the first of them")
        path, value = pair
        known = _known(ctx, path)
        before = values.get(path)
        if known is not None and known.kind == "password":
            raise CallError(Failure.USAGE, f"{path} is secret: set it alone, by --secret-file")
        if known is not None and known.kind == "list":
            values[path] = (*(before if isinstance(before, tuple) else ()), *((value,) if value else ()))
        elif before is not None:
            raise CallError(Failure.USAGE, f"{path} is named twice")
        else:
            values[path] = value
    return values


def _known(ctx: AdminContext, path: str) -> "Setting | None":
    from whimbrel.core.config import UnknownName  # Here, so that the command line's client can do without.

    try:
        return ctx.config.declared(path)
    except UnknownName:
        return None  # `change` says what is wrong with the name.


Members = Annotated[tuple[str, ...], "Members of the list.", ARGUMENT]


@call(
    "config", "add", version=_version, dangerous=True,
    help="Adds members to a list, at its end; what is there already stays where it is.",
)  # fmt: skip
async def config_add(ctx: AdminContext, path: Path, value: Members = ()) -> Changed:
    have = _members(ctx, path, value)
    value = ctx.config.members(path, value)
    return await change_settings(ctx, {path: (*have, *(text for text in dict.fromkeys(value) if text not in have))})


@call("config", "remove", version=_version, dangerous=True, help="Takes members out of a list.")
async def config_remove(ctx: AdminContext, path: Path, value: Members = ()) -> Changed:
    have = _members(ctx, path, value)
    value = ctx.config.members(path, value)
    missing = [text for text in value if text not in have]
    if missing:
        raise CallError(Failure.NOT_FOUND, f"{path} does not hold {', '.join(missing)}{nearest(missing[0], have)}")
    return await change_settings(ctx, {path: tuple(text for text in have if text not in value)})


def _members(ctx: AdminContext, path: str, value: tuple[str, ...]) -> tuple[str, ...]:
    """What the list holds. CallError."""
    have = ctx.config.get(path)
    if isinstance(have, str):
        raise CallError(Failure.USAGE, f"{path} is no list; see `whimbrel config set`")
    if not value:
        raise CallError(Failure.USAGE, "say which members are meant", FieldFault("value", "must be given"))
    return have


@call(
    "config", "unset", version=_version, dangerous=True,
    help="Sets settings back to their defaults; takes out an entry of a list.",
)  # fmt: skip
async def config_unset(
    ctx: AdminContext, path: Annotated[tuple[str, ...], "Paths of settings.", Known("setting")]
) -> Changed:
    return await change_settings(ctx, dict.fromkeys(path))


@call(
    "config",
    "import",
    dangerous=True,
    help="Sets many settings in one change, from a TOML file of lines such as "
    '"smtp/max-message-size" = "80M"; config export writes one.',
)
async def config_import(
    ctx: AdminContext, file: Annotated[FileText, "The TOML file; - for standard input."]
) -> Changed:
    return await change_settings(ctx, read_settings(file))


def read_settings(text: str) -> dict[str, object]:
    """Paths and values of a TOML text, with or without the heading [settings]. CallError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CallError(Failure.REFUSED, f"The file is not TOML: {error}") from None
    inner = table.pop("settings", {})
    if not isinstance(inner, dict):
        raise CallError(Failure.REFUSED, "settings: a table is meant")
    given: dict[str, object] = {}
    faults = []
    for path, value in (table | inner).items():
        if isinstance(value, str | int | float | bool):
            given[path] = setting_text(value)
        elif isinstance(value, list) and all(isinstance(item, str | int | float | bool) for item in value):
            given[path] = tuple(setting_text(item) for item in value)
        else:
            faults.append(FieldFault(path, 'is not a value; write a path in quotes: "smtp/max-message-size" = "80M"'))
    if faults:
        raise CallError(Failure.REFUSED, "\n".join(f"{fault.name}: {fault.text}" for fault in faults), *faults)
    return given


def setting_text(value: object) -> str:
    """A TOML value as a setting is written."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


@call(
    "config",
    "export",
    reads=True,
    shows="text",
    help="Writes the settings that differ from their defaults as TOML. Secrets are left out.",
)
async def config_export(ctx: AdminContext, everything: Annotated[bool, "Defaults too."] = False) -> TextView:
    lines = ["[settings]"]
    for setting in ctx.config.settings():
        if setting.is_default and not everything:
            continue
        if setting.kind == "password" or "********" in (setting.value, *setting.value):
            lines.append(f"# {_quoted(setting.path)}: secret, not written here")
        elif isinstance(setting.value, tuple):
            lines.append(f"{_quoted(setting.path)} = [{', '.join(map(_quoted, setting.value))}]")
        else:
            lines.append(f"{_quoted(setting.path)} = {_quoted(setting.value)}")
    return TextView("\n".join(lines))


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(c):04x}" if c < " " or c == "\x7f" else c for c in escaped) + '"'


_WHO_CONNECTS: Final = ("services/console/", "definitions/")
"""Settings that say from where the console is reached."""


def _keep_in(ctx: AdminContext, values: Mapping[str, object]) -> None:
    """CallError: whoever changes settings over the network would not reach the console any more, and could not take it
    back. At the server's own command line it can be done."""
    if not any(path.startswith(_WHO_CONNECTS) for path in values):
        return
    try:
        ip = str(ipaddress.ip_address(ctx.caller.origin))
    except ValueError:
        return  # On the machine itself.
    from whimbrel.core.definitions import Definitions  # Here: a command asks a server, and has no settings.
    from whimbrel.services.session.services import ServicesSettings

    clients = ctx.config.proposed(values, ServicesSettings).named("console").allow_from
    if clients and not ctx.config.proposed(values, Definitions).include(clients, ip):
        path = "services/console/allow-from"
        text = (
            f"you are at {ip}, which would not reach this console any more: name it, or change this on the server's "
            "own machine"
        )
        raise CallError(Failure.REFUSED, f"{path}: {text}", FieldFault(path, text))


async def change_settings(ctx: AdminContext, values: dict[str, object]) -> Changed:
    """Sets paths to values as text, or to the default by None; a dry run only checks. ConfigError, ConfigConflict."""
    _keep_in(ctx, values)
    before = frozenset(ctx.config.concerns())
    if ctx.dry_run:
        return changed(ctx, sorted(ctx.config.check(values, confirmed=ctx.confirmed)))
    paths = sorted(await ctx.config.change(values, confirmed=ctx.confirmed))
    for concern in ctx.config.concerns():
        if concern not in before:
            ctx.warn(str(concern))
    await apply_services(ctx, paths)
    return changed(ctx, paths)


def changed(ctx: AdminContext, paths: list[str]) -> Changed:
    """The answer to a change of settings."""
    restart = tuple(path for path in paths if (known := _known(ctx, path)) and known.applies == "restart")
    if not paths:
        return Changed((), (), "Nothing is different")
    text = done(ctx.dry_run, ", ".join(paths), "changed").text
    if restart:
        text += f". Restart the server for {', '.join(restart)}"
    return Changed(tuple(paths), restart, text)
