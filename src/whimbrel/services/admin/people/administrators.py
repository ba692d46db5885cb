"""Administrators that a table of users would make: nobody becomes one by a cell that was overlooked."""

from collections.abc import Sequence

from whimbrel.core.counting import counted
from whimbrel.core.directory import DirectoryChange, Rights
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.user_lines import UserLine

SHOWN = 20


def administrators(steps: Sequence[tuple[UserLine, DirectoryChange]]) -> list[str]:
    """`line 3: anna@example.org becomes server-write` of each line that gives rights to administer."""
    named = []
    for line, step in steps:
        rights, grants = step.values.get("rights"), step.values.get("grant")
        words = [str(rights)] if rights not in (None, Rights.NONE.value) else []
        words += [str(grant) for grant in grants] if isinstance(grants, tuple) else [str(grants)] if grants else []
        if words:
            named.append(f"line {line.number}: {step.name}@{step.domain} becomes {', '.join(words)}")
    return named


def confirm(ctx: AdminContext, steps: Sequence[tuple[UserLine, DirectoryChange]]) -> None:
    """CallError unless the words were typed that say how many administrators are made; a dry run tells them only."""
    named = administrators(steps)
    if not named:
        return
    words = f"make {counted(len(named), 'administrator')}"
    more = f"\nand {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    text = "\n".join(named[:SHOWN]) + more
    if ctx.dry_run:
        ctx.warn(f"The table would {words}:\n{text}")
    elif ctx.confirmed != words:
        raise CallError(
            Failure.REFUSED, f"No user was taken: the table would {words}, who may administer:\n{text}", confirm=words
        )
