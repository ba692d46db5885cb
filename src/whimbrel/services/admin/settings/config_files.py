"""Calls about the two configuration files: edits made outside, former versions, checks (mission S17 to S19)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from whimbrel.services.admin.access.belongings import forget
from whimbrel.services.admin.calls import CallError, Failure, call
from whimbrel.services.admin.changes.audit import named
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.people.lifecycle import account_id
from whimbrel.services.admin.people.record_doubts import record_doubts
from whimbrel.services.admin.people.resolving import dangling
from whimbrel.services.admin.server.services import apply_services
from whimbrel.services.admin.settings.configuration import Changed, changed
from whimbrel.services.admin.views import Done, Moment, Octets, Page, TextView, Words

if TYPE_CHECKING:
    from whimbrel.core.directory import Reread

File = Literal["mailserver.cfg", "users.cfg"]


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    line: int
    path: str
    text: Words


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


@call(
    "config",
    "diff",
    reads=True,
    repairs=True,
    shows="text",
    help="Shows what an edit made outside changes, or how a former version differs from the file in use.",
)
async def config_diff(
    ctx: AdminContext,
    version: Annotated[int | None, "Number of a former version; see config history.", Between(1, such_as=3)] = None,
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
    repairs=True,
    problems="problems",
    help="Reads the files on disk as a start would and tells every fault with its line.",
)
async def config_check(ctx: AdminContext) -> Verdict:
    from whimbrel.core.config import ConfigError  # Here: the command line's client needs it not.

    try:
        concerns = await need(ctx.files, "Reading the files").check()
    except ConfigError as error:
        problems = tuple(Problem(fault.file, fault.line, fault.path, fault.text) for fault in error.faults)
        return Verdict(problems, True, "The files cannot be used as they are; a running server keeps what it has")
    outside = bool(ctx.config.difference() or ctx.editor.difference())
    nowhere = () if outside else (*await dangling(ctx), *await record_doubts(ctx))
    problems = (
        *(Problem("mailserver.cfg", 0, concern.path, concern.text) for concern in concerns),
        *(Problem("mailserver.cfg", 0, "", text) for text in (ctx.config.forgets(),) if text),
        *(Problem("users.cfg", 0, "", text) for text in (ctx.editor.forgets(), *nowhere) if text),
    )
    text = "Both files can be read; see what is said of them" if problems else "Both files are in order"
    if outside:
        text += (
            "; they were changed outside: see `whimbrel config diff`, take them into use by `whimbrel config reload`"
        )
    return Verdict(problems, outside, text)


@call(
    "config", "history", reads=True, repairs=True, help="Lists the former versions of the configuration files."
)  # fmt: skip
async def config_history(ctx: AdminContext) -> Page[VersionRow]:
    files = need(ctx.files, "Former versions")
    former = [*await files.versions("mailserver.cfg"), *await files.versions("users.cfg")]
    return Page(tuple(VersionRow(v.number, v.file, Moment(v.replaced), Octets(v.size)) for v in former))


@call(
    "config",
    "undo",
    repairs=True,
    dangerous=True,
    help="Brings back the former version of a configuration file, the latest that can be read. What it replaces is "
    "kept as a version: a second undo is a redo. To go further back, name the version; see config history.",
)
async def config_undo(
    ctx: AdminContext,
    file: Annotated[File, "The file that is meant."] = "mailserver.cfg",
    version: Annotated[int | None, "Number of the version; the latest unless given.", Between(1, such_as=3)] = None,
) -> Done:
    from whimbrel.core.config import ConfigError, Unconfirmed  # Here: the command line's client needs it not.

    files = need(ctx.files, "Former versions")
    numbers = [version] if version is not None else [former.number for former in await files.versions(file)]
    if not numbers:
        raise CallError(Failure.NOT_FOUND, f"There is no former version of {file}")
    passed: list[int] = []
    for number in numbers:
        try:
            if ctx.dry_run:
                return Done(await files.difference(file, number))
            reread = await files.restore(file, number, confirmed=ctx.confirmed)
        except LookupError:
            raise _no_version(file, number) from None
        except Unconfirmed:
            raise
        except ConfigError:
            # What `keep` put aside may be an edit that never could be read.
            passed.append(number)
            if len(passed) == len(numbers):
                raise
            continue
        if file == "mailserver.cfg":
            await apply_services(ctx)
        if passed:
            ctx.warn(f"Version {', '.join(map(str, passed))} of {file} cannot be read and was passed over")
        records = f": {_records(reread)}" if file == "users.cfg" else ""
        await _tell_of_mail(ctx, reread)
        return Done(f"{file} is again as it was in version {number}{records}")
    raise AssertionError("unreachable")


@call(
    "config", "reload", dangerous=True, help="Takes edits made outside into use, after checking them as a whole."
)  # fmt: skip
async def config_reload(ctx: AdminContext) -> Changed:
    if ctx.dry_run:
        await need(ctx.files, "Reading the files").check()
    if ctx.dry_run or not ctx.confirmed:  # What either file is refused for comes before both.
        would = sorted(await ctx.config.reload(confirmed=ctx.confirmed, trial=True))
        await ctx.editor.reload(confirmed=ctx.confirmed, trial=True)
        if ctx.dry_run:
            text = f"; {', '.join(would)} would be changed" if would else ""
            return Changed((), (), f"Checked only, nothing was changed: both files are in order{text}")
    paths = sorted(await ctx.config.reload(confirmed=ctx.confirmed))
    reread = await ctx.editor.reload(confirmed=ctx.confirmed)
    answer = changed(ctx, paths)
    for concern in ctx.config.concerns():
        ctx.warn(str(concern))
    await apply_services(ctx, paths)
    if reread is None:
        return answer
    await _tell_of_mail(ctx, reread)
    text = answer.text if paths else "No setting is different"
    return Changed(answer.paths, answer.restart, f"{text}; users.cfg was read anew: {_records(reread)}")


async def _tell_of_mail(ctx: AdminContext, reread: "Reread") -> None:
    """An edit of the file moves no mail: who went left it, who came back may have it among that of removed users."""
    from whimbrel.core.directory import Kind  # As above.

    users = [each for each in reread.records if each.entry.kind is Kind.USER]
    gone = [named(each.entry) for each in users if each.after is None]
    if gone:
        await forget(ctx, *(account_id(each.entry) for each in users if each.after is None))
        more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
        ctx.warn(
            f"The mail of {', '.join(gone[:_NAMED])}{more} stays in the store: whoever gets the name by an edit of the "
            f"file has it again, and `whimbrel user add` puts it aside first"
        )
    came = [named(each.entry) for each in users if each.before is None]
    if came and ctx.mailboxes is not None:
        aside = {str(mailbox.account) for mailbox in await ctx.mailboxes.removed()}
        for name in [name for name in came if name in aside][:_NAMED]:
            ctx.warn(
                f"Mail of a removed user {name} is kept: `whimbrel user removed-list` shows it, `whimbrel user "
                f"removed-restore` brings it back"
            )


_NAMED: Final = 5
"""Records that an answer names; `change list` has all."""


def _records(reread: "Reread") -> str:
    """Which records an edit added, removed, changed."""
    parts = []
    for verb, entries in (
        ("added", [each for each in reread.records if each.before is None]),
        ("removed", [each for each in reread.records if each.after is None]),
        ("changed", [each for each in reread.records if each.before and each.after]),
    ):
        if entries:
            names = [f"{each.entry.kind} {named(each.entry)}" for each in entries[:_NAMED]]
            more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
            parts.append(f"{', '.join(names)}{more} {verb}")
    if reread.more:
        parts.append(f"{reread.more} more records changed")
    return "; ".join(parts) if parts else "no record is different"


@call("config", "keep", help="Writes the configuration in use over edits made outside, which stay in the history.")
async def config_keep(ctx: AdminContext) -> Done:
    files = need(ctx.files, "Writing the files")
    if ctx.dry_run:
        return Done("\n".join(filter(None, (ctx.config.difference(), ctx.editor.difference()))))
    kept = await files.keep()
    return Done(f"Written as it is in use: {', '.join(kept)}" if kept else "Nothing was changed outside")
