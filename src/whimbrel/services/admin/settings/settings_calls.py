"""All settings of a part of the configuration at once, for consoles and programs: read with a version, changed in one
change (mission S16). The command line has `config get` and `config set`."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from whimbrel.core.config import Setting
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import Call, CallError, Failure, call, nearest, not_found
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.settings.configuration import change_settings
from whimbrel.services.admin.versions import digest

PREFIX: Final = "/api/admin/settings"
MAX_VALUES: Final = 5_000
Json = bool | int | float | str | list[str] | None
"""A value as JSON has it; None: the default, or, of a secret that is read, that nobody is shown it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it is now."""

    value: Json
    default: bool
    """It has its default."""
    secret: bool = False
    """`value` is never shown; `default` says whether one is set."""
    shown: str = ""
    """Of a secret what anyone may see: `https://hooks.example.org/...`, or `********`."""


@dataclass(frozen=True, slots=True)
class Values:
    """By path, in the order of the file; entries of lists by their names, as `delivery/route[example.org]/host`."""

    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class ValuesChanged:
    """`paths` changed; `restart` are those of them that wait for a restart of the server."""

    paths: tuple[str, ...]
    restart: tuple[str, ...]
    text: str
    values: dict[str, Value]
    """All of the part, as they are now."""


Part = Annotated[str, "Only this section, such as smtp."]


async def _version(ctx: AdminContext, section: str, **_values: object) -> str:
    return digest([(setting.path, setting.value, setting.is_default) for setting in _chosen(ctx, section)])


@call("settings", "read", reads=True, version=_version, help="All settings of a part of the configuration.")
async def settings_read(ctx: AdminContext, section: Part = "") -> Values:
    return _values(ctx, section)


@call("settings", "change", version=_version, dangerous=True, help="Changes any number of settings at once.")
async def settings_change(
    ctx: AdminContext,
    values: Annotated[dict[str, Any], "By path; null: the default, or that an entry of a list goes."],
    section: Part = "",
) -> ValuesChanged:
    if len(values) > MAX_VALUES:
        raise CallError(Failure.USAGE, f"at most {MAX_VALUES} settings are changed at once")
    known = {setting.path: setting for setting in ctx.config.settings()}
    given = {path: _given(known.get(path), value) for path, value in values.items()}
    changed = await change_settings(ctx, given)
    return ValuesChanged(changed.paths, changed.restart, changed.text, _values(ctx, section).values)


READ: Final[Call] = settings_read.__dict__["call"]
CHANGE: Final[Call] = settings_change.__dict__["call"]
"""No verbs of the command line: they stand at a place of their own in HTTP."""


def _given(setting: Setting | None, value: object) -> object:
    """As the port takes it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int | float | bool) for item in value):
        return tuple(value)
    if not isinstance(value, str):
        raise CallError(Failure.USAGE, "a value is text, a number, true, false, null or a list of these")
    return Secret(value) if setting is not None and setting.kind == "password" else value


def _chosen(ctx: AdminContext, section: str) -> list[Setting]:
    chosen = [each for each in ctx.config.settings() if not section or each.path.startswith(f"{section}/")]
    if not chosen:
        known = {each.path.partition("/")[0] for each in ctx.config.settings()}
        not_found("section", section, nearest(section, known))
    return chosen


def _values(ctx: AdminContext, section: str) -> Values:
    return Values({each.path: _value(each) for each in _chosen(ctx, section)})


def _value(setting: Setting) -> Value:
    if setting.kind == "password":
        return Value(None, setting.is_default, secret=True, shown=str(setting.value))
    return Value(_json(setting), setting.is_default)


def _json(setting: Setting) -> Json:
    value = setting.value
    if isinstance(value, tuple):
        return list(value)
    if setting.kind == "yes-no":
        return value == "yes"
    if setting.kind == "number":
        return None if not value else float(value) if any(mark in value for mark in ".e") else int(value)
    return value
