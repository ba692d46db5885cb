"""Calls about settings and the two configuration files (mission S16 to S19)."""

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import (
    ARGUMENT,
    CallError,
    Failure,
    FieldFault,
    FileText,
    Known,
    call,
)
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Done, Moment, Octets, done

if TYPE_CHECKING:
    from whimbrel.core.config import Setting

File = Literal["mailserver.cfg", "users.cfg"]


@dataclass(frozen=True, slots=True)
class SettingRow:
    path: str
    value: str | tuple[str, ...]
    is_default: bool
    help: str


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


@dataclass(frozen=True, slots=True)
class TextView:
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    line: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with the files on disk, and what differs from those in use."""

    problems: tuple[Problem, ...]
    changed_outside: bool
    text: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    number: int
    file: str
    replaced: Moment
    size: Octets


Path = Annotated[str, "Path of the setting, such as smtp/max-message-size.", Known("setting")]


@call("config", "get", reads=True, shows="value", help="Shows the value of a setting.")
async def config_get(ctx: AdminContext, path: Path) -> SettingValue:
    return SettingValue(path, ctx.config.get(path))


@call("config", "describe", reads=True, help="Shows a setting with all that is known of it.")
async def config_describe(ctx: AdminContext, path: Path) -> SettingView:
    found = ctx.config.describe(path)
    return SettingView(
        found.path, found.help, found.kind, found.value, found.default, found.is_default, found.choices,
        found.minimum, found.maximum, found.applies, found.advanced,
    )  # fmt: skip


@call("config", "list", reads=True, help="Lists settings with their values.")
async def config_list(
    ctx: AdminContext,
    below: Annotated[str, "Only settings below this path, such as smtp.", ARGUMENT] = "",
    changed: Annotated[bool, "Only those that differ from the default."] = False,
) -> tuple[SettingRow, ...]:
    below = below.strip("/")
    found = [s for s in ctx.config.settings() if not below or s.path == below or s.path.startswith(f"{below}/")]
    if below and not found:
        ctx.config.describe(below)  # Says which name is nearest.
    return tuple(map(_row, (setting for setting in found if not (changed and setting.is_default))))


@call("config", "search", reads=True, help="Finds settings by words in their path or description.")
async def config_search(
    ctx: AdminContext, words: Annotated[tuple[str, ...], "Words that must all be there."]
) -> tuple[SettingRow, ...]:
    return tuple(map(_row, ctx.config.search(" ".join(words))))


def _row(setting: "Setting") -> SettingRow:
    return SettingRow(setting.path, setting.value, setting.is_default, setting.help)


@call("config", "set", help="Sets a setting; a list takes several values.")
async def config_set(
    ctx: AdminContext,
    path: Path,
    value: Annotated[tuple[str, ...], "The value, such as 80M or yes.", ARGUMENT] = (),
    secret: Annotated[Secret | None, "The value of a setting that is secret."] = None,
) -> Changed:
    # The declaration tells a list from one value; an entry that is yet to be made has none, its values are single.
    known = _known(ctx, path)
    if known is not None and known.kind == "password":
        if value:
            raise CallError(
                Failure.USAGE,
                f"{path} is secret and other users could see it on a command line; give it by --secret-file",
            )
        if secret is None:
            raise CallError(Failure.USAGE, f"{path} is secret: give it by --secret-file", FieldFault("secret", path))
        return await _change(ctx, {path: secret})
    if secret is not None:
        raise CallError(Failure.USAGE, f"{path} is not secret: give its value as an argument")
    if known is not None and known.kind == "list":
        return await _change(ctx, {path: tuple(text for text in value if text)})
    if len(value) != 1:
        wanted = "a value is missing" if not value else "one value is meant"
        raise CallError(Failure.USAGE, f"{path}: {wanted}; see `whimbrel config describe {path}`")
    return await _change(ctx, {path: value[0]})


def _known(ctx: AdminContext, path: str) -> "Setting | None":
    from whimbrel.core.config import UnknownName  # Here, so that the command line's client can do without.

    try:
        return ctx.config.describe(path)
    except UnknownName:
        return None  # `change` makes the entry, or says what is wrong with the name.


@call("config", "unset", help="Sets settings back to their defaults; takes out an entry of a list.")
async def config_unset(
    ctx: AdminContext, path: Annotated[tuple[str, ...], "Paths of settings.", Known("setting")]
) -> Changed:
    return await _change(ctx, dict.fromkeys(path))


@call(
    "config",
    "import",
    help="Sets many settings in one change, from a TOML file of lines such as "
    '"smtp/max-message-size" = "80M"; config export writes one.',
)
async def config_import(
    ctx: AdminContext, file: Annotated[FileText, "The TOML file; - for standard input."]
) -> Changed:
    return await _change(ctx, read_settings(file))


def read_settings(text: str) -> dict[str, object]:
    """Paths and values of a TOML text, with or without the heading [settings]. CallError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CallError(Failure.REFUSED, f"The file is not TOML: {error}") from None
    inner = table.pop("settings", {})
    if not isinstance(inner, dict):
        raise CallError(Failure.REFUSED, "settings: a table is meant")
    found: dict[str, object] = {}
    faults = []
    for path, value in (table | inner).items():
        if isinstance(value, str | int | float | bool):
            found[path] = setting_text(value)
        elif isinstance(value, list) and all(isinstance(item, str | int | float | bool) for item in value):
            found[path] = tuple(setting_text(item) for item in value)
        else:
            faults.append(FieldFault(path, 'is not a value; write a path in quotes: "smtp/max-message-size" = "80M"'))
    if faults:
        raise CallError(Failure.REFUSED, "\n".join(f"{fault.name}: {fault.text}" for fault in faults), *faults)
    return found


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


async def _change(ctx: AdminContext, values: dict[str, object]) -> Changed:
    paths = sorted(ctx.config.check(values) if ctx.dry_run else await ctx.config.change(values))
    return _changed(ctx, paths)


def _changed(ctx: AdminContext, paths: list[str]) -> Changed:
    restart = tuple(path for path in paths if (known := _known(ctx, path)) and known.applies == "restart")
    if not paths:
        return Changed((), (), "Nothing is different")
    text = done(ctx.dry_run, f"Changed: {', '.join(paths)}").text
    if restart:
        text += f". Restart the server for {', '.join(restart)}"
    return Changed(tuple(paths), restart, text)


@call(
    "config",
    "diff",
    reads=True,
    shows="text",
    help="Shows what an edit made outside changes, or how a former version differs from the file in use.",
)
async def config_diff(
    ctx: AdminContext,
    version: Annotated[int | None, "Number of a former version; see config history."] = None,
    file: Annotated[File, "Whose former version is meant."] = "mailserver.cfg",
) -> TextView:
    if version is None:
        aside = await ctx.files.aside() if ctx.files else ""
        return TextView("\n".join(filter(None, (ctx.config.difference(), ctx.editor.difference(), aside))))
    try:
        return TextView(await need(ctx.files, "Former versions").difference(file, version))
    except LookupError:
        raise _no_version(file, version) from None


def _no_version(file: str, number: int) -> CallError:
    return CallError(Failure.NOT_FOUND, f"There is no version {number} of {file}; see `whimbrel config history`")


@call(
    "config",
    "check",
    reads=True,
    problems="problems",
    help="Reads the files on disk as a start would and tells every fault with its line.",
)
async def config_check(ctx: AdminContext) -> Verdict:
    from whimbrel.core.config import ConfigError

    try:
        await need(ctx.files, "Reading the files").check()
    except ConfigError as error:
        problems = tuple(Problem(fault.file, fault.line, fault.path, fault.text) for fault in error.faults)
        return Verdict(problems, True, "The files cannot be used as they are; a running server keeps what it has")
    outside = bool(ctx.config.difference() or ctx.editor.difference())
    text = "Both files are in order"
    if outside:
        text += (
            "; they were changed outside: see `whimbrel config diff`, take them into use by `whimbrel config reload`"
        )
    return Verdict((), outside, text)


@call("config", "history", reads=True, help="Lists the former versions of the configuration files.")
async def config_history(ctx: AdminContext) -> tuple[VersionRow, ...]:
    files = need(ctx.files, "Former versions")
    found = [*await files.versions("mailserver.cfg"), *await files.versions("users.cfg")]
    return tuple(VersionRow(v.number, v.file, Moment(v.replaced), Octets(v.size)) for v in found)


@call("config", "undo", help="Brings back the former version of a configuration file; undo again to take that back.")
async def config_undo(
    ctx: AdminContext,
    file: Annotated[File, "The file that is meant."] = "mailserver.cfg",
    version: Annotated[int | None, "Number of the version; the latest unless given."] = None,
) -> Done:
    files = need(ctx.files, "Former versions")
    if version is None:
        found = await files.versions(file)
        if not found:
            raise CallError(Failure.NOT_FOUND, f"There is no former version of {file}")
        version = found[0].number
    try:
        if ctx.dry_run:
            return Done(await files.difference(file, version))
        await files.restore(file, version)
    except LookupError:
        raise _no_version(file, version) from None
    return Done(f"{file} is again as it was in version {version}")


@call("config", "reload", help="Takes edits made outside into use, after checking them as a whole.")
async def config_reload(ctx: AdminContext) -> Changed:
    if ctx.dry_run:
        await need(ctx.files, "Reading the files").check()
        return Changed((), (), "Checked only, nothing was changed: both files are in order")
    paths = sorted(await ctx.config.reload())
    users = await ctx.editor.reload()
    changed = _changed(ctx, paths)
    text = changed.text if paths or not users else "No setting is different"
    return Changed(changed.paths, changed.restart, f"{text}; users.cfg was read anew" if users else text)


@call("config", "keep", help="Writes the configuration in use over edits made outside, which stay in the history.")
async def config_keep(ctx: AdminContext) -> Done:
    files = need(ctx.files, "Writing the files")
    if ctx.dry_run:
        return Done("\n".join(filter(None, (ctx.config.difference(), ctx.editor.difference()))))
    kept = await files.keep()
    return Done(f"Written as it is in use: {', '.join(kept)}" if kept else "Nothing was changed outside")
