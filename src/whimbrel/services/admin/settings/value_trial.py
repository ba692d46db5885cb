"""A value is tried before it is saved: first as `config set` would look at it, then by what its setting declares."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial

from whimbrel.core.config import ConfigError, Unconfirmed
from whimbrel.core.values import Secret
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.calls import CallError, Failure, FieldFault
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.server.tools import shown_chain
from whimbrel.services.admin.settings.value_checks import CHECKS, Trial
from whimbrel.services.probing.ports import ProbeStep


async def trial(
    ctx: AdminContext,
    path: str,
    value: tuple[str, ...],
    secret: Secret | None,
    beside: Mapping[str, object],
    seconds: float,
) -> AsyncIterator[ProbeStep]:
    """`secret`: the value of a secret; `beside`: other settings as they would be. CallError: there is nothing to try,
    or the setting is none."""
    setting = ctx.config.declared(path)
    check = CHECKS.get(setting.check)
    if check is None:
        raise CallError(Failure.REFUSED, f"{path} has no test: a value is checked when it is set")
    many, hidden = setting.kind == "list", setting.kind == "password"
    if hidden and value:
        raise CallError(
            Failure.USAGE,
            f"{path} is secret and other users could see it on a command line; give it by --secret-file",
            FieldFault("secret", path),
        )
    if secret is not None and not hidden:
        raise CallError(Failure.USAGE, f"{path} is not secret: give its value as an argument")
    if not many and len(value) > 1:
        raise CallError(Failure.USAGE, f"{path}: one value is meant", FieldFault("value", "one value is meant"))
    in_use = (setting.value,) if isinstance(setting.value, str) else setting.value
    values = tuple(each for each in (value or ((str(secret),) if secret else in_use)) if each)
    tried: object = secret if secret is not None else value if many else next(iter(value), None)
    if tried and (fault := _refused(ctx, path, tried, beside)):
        yield ProbeStep("result", fault, 0.0, {}, (f"{fault.rstrip('.')}.",))
        return
    if not values:
        yield ProbeStep("result", "there is no value to try")
        return
    where = path.rpartition("/")[0]
    made = Trial(
        ctx, path, values, secret, partial(_beside, ctx, where, beside), str(ctx.config.section(SmtpSettings).hostname),
        partial(shown_chain, ctx),
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            async for step in check(made):
                yield step
    except TimeoutError:
        text = f"it was not over in {seconds:g} seconds and was ended"
        yield ProbeStep("result", text, seconds, {}, (f"{text[0].upper()}{text[1:]}.",))
    except ValueError as error:
        yield ProbeStep("result", str(error), 0.0, {}, (f"{error}.",))


def _refused(ctx: AdminContext, path: str, value: object, beside: Mapping[str, object]) -> str:
    """Why the value would not be taken; empty if it would, for typed words or without."""
    try:
        ctx.config.check({**beside, path: value})
    except Unconfirmed:
        return ""
    except ConfigError as error:
        own = [fault.text for fault in error.faults if fault.path == path]
        return "; ".join(own)
    return ""


def _beside(ctx: AdminContext, where: str, beside: Mapping[str, object], name: str) -> str:
    path = f"{where}/{name}" if where else name
    if path in beside:
        return str(beside[path])
    try:
        value = ctx.config.declared(path).value
    except ConfigError:
        return ""
    return value if isinstance(value, str) else ""
