"""Users from and to CSV (`user_lines.py` reads a line). All is taken or nothing, unless bad lines are to be skipped;
every mistake is reported with its line, in one round.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from whimbrel.core.address import Address, Domain
from whimbrel.core.counting import counted
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.record import Field
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, FileText, Known, call
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.administrators import confirm
from whimbrel.services.admin.people.fields import usual
from whimbrel.services.admin.people.people import PAGE, address_of, listed, place, value_of, values_of
from whimbrel.services.admin.people.table_text import defused
from whimbrel.services.admin.people.template_use import NO_TEMPLATE, merged, template_for
from whimbrel.services.admin.people.user_lines import MAX_FAULTS, STANDARD, UserLine, columns, parse, refused
from whimbrel.services.admin.people.users import (
    added,
    default_quota,
    may_change,
    may_grant,
    password_refusal,
    with_password,
)

_NAMED: Final = 10
_HEAD: Final = (("full-name", ""), ("rights", "none"), ("quota", "0"))


@dataclass(frozen=True, slots=True)
class Imported:
    """`skipped`: lines that were not taken, each with why."""

    added: int
    changed: int
    skipped: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """`text` is the CSV."""

    text: str


class _Import:
    """The steps of one import, and what is wrong with its lines."""

    def __init__(self, ctx: AdminContext, *, update: bool, create_domains: bool) -> None:
        self._ctx, self._update, self._create_domains = ctx, update, create_domains
        self.faults: list[FieldFault] = []
        self.domains: dict[str, DirectoryChange] = {}
        self.steps: list[tuple[UserLine, list[DirectoryChange]]] = []
        self._seen: dict[str, int] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._claimed: dict[str, int] = {}
        self._clashes: list[tuple[UserLine, str]] = []

    async def add(self, line: UserLine, *, wrong: bool = False) -> None:
        """`wrong`: it is known to have faults, and is only looked at for more."""
        self._claim(line)
        texts: dict[str, None] = {}
        steps: list[DirectoryChange] = []
        try:
            steps = await self._of(line)
        except (CallError, ValueError) as error:
            texts[error.text if isinstance(error, CallError) else str(error)] = None
            for group in line.groups:  # Said in the same round.
                try:
                    await self._group(group, line.address)
                except CallError as more:
                    texts[more.text] = None
        for text in texts:
            self.fault(line, text)
        if not texts and not wrong:
            self.steps.append((line, steps))

    def _claim(self, line: UserLine) -> None:
        """Notes the names that the line wants, good or not."""
        address = line.address.casefold()
        domain = address.rpartition("@")[2] if "@" in address else ""
        names = line.values.get("alias", ())
        for name in dict.fromkeys(
            [address, *(each.casefold() for each in (names if isinstance(names, tuple) else ()))]
        ):
            key = name if "@" in name else f"{name}@{domain}"
            if self._claimed.setdefault(key, line.number) != line.number:
                self._clashes.append((line, f"'{name}' is a name in line {self._claimed[key]} too"))

    def clashes(self) -> None:
        """With lines that are wrong otherwise, so that all is said in one round; `check` knows the good ones only."""
        wrong = {fault.name for fault in self.faults}
        for line, text in self._clashes:
            if f"line {line.number}" not in wrong:
                self.fault(line, text)

    def fault(self, line: UserLine, text: str) -> None:
        self.faults.append(FieldFault(f"line {line.number}", text))

    async def _of(self, line: UserLine) -> list[DirectoryChange]:
        ctx = self._ctx
        domain, local = await self._place(line.address)
        key = f"{local.casefold()}@{domain}"
        if key in self._seen:
            raise CallError(Failure.REFUSED, f"{key} stands in line {self._seen[key]} already")
        self._seen[key] = line.number
        may_grant(ctx, line.rights, Domain(domain))
        present = None if domain in self.domains else await ctx.editor.entry(Kind.USER, domain, local)
        if present is not None:
            if not self._update:
                raise CallError(Failure.REFUSED, f"{address_of(present)} exists already; 'update' changes it")
            may_change(ctx, present)
        template = (
            NO_TEMPLATE
            if present is not None
            else await template_for(ctx, line.template, domain, rights_said=line.rights is not None)
        )
        quota = line.quota
        if present is None and quota is None and "quota" not in template.values:
            quota = await default_quota(ctx, domain)
        names, elsewhere = await self._names(line, domain)
        values: dict[str, object] = {**line.values}
        if names:
            values["alias"] = names
        if line.full_name:
            values["full-name"] = line.full_name
        if line.rights is not None and (present is None or line.rights.value != value_of(present, "rights", "none")):
            values["rights"] = line.rights.value
        if quota is not None:
            values["quota"] = quota
        values = merged(template, values)
        op = Op.ADD if present is None else Op.SET
        steps = [DirectoryChange(op, Kind.USER, domain, present.name if present is not None else local, values)]
        name = value_of(present, "full-name") if present is not None else ""
        if text := password_refusal(ctx, steps[0], line.password, name):
            raise CallError(Failure.REFUSED, f"password: {text}")
        target = {"to": (f"{local}@{domain}",)}
        steps += [DirectoryChange(Op.ADD, Kind.ALIAS, each.domain, each.local, target) for each in elsewhere]
        return steps + [await self._joined(group, f"{local}@{domain}") for group in (*line.groups, *template.groups)]

    async def _place(self, text: str) -> tuple[str, str]:
        """As `place`; a domain that is not there may be made. CallError."""
        try:
            return await place(self._ctx, text, "address")
        except CallError as error:
            if error.kind is not Failure.NOT_FOUND or not self._create_domains:
                if error.kind is Failure.NOT_FOUND:
                    raise CallError(error.kind, f"{error.text}; 'create-domains' makes domains") from None
                raise
        address = Address.parse(text)
        if self._ctx.domains() is not None:
            raise CallError(Failure.FORBIDDEN, f"{address.domain}: only who administers the server makes domains")
        self.domains.setdefault(address.domain, DirectoryChange(Op.ADD, Kind.DOMAIN, address.domain))
        return address.domain, address.local

    async def _names(self, line: UserLine, domain: str) -> tuple[tuple[str, ...], list[Address]]:
        """The further names in the user's own domain, and addresses in other domains of ours, which become aliases."""
        names, elsewhere = [], []
        given = line.values.get("alias", ())
        for text in given if isinstance(given, tuple) else ():
            local, _, host = text.rpartition("@")
            if not local or host.lower() == domain:
                names.append(local or text)
                continue
            where, name = await self._place(text)
            if where == domain:
                names.append(name)
            else:
                elsewhere.append(Address(name, where))
        own = line.address.rpartition("@")[0] or line.address
        return tuple(dict.fromkeys(name for name in names if name.casefold() != own.casefold())), elsewhere

    async def _group(self, group: str, address: str) -> Entry:
        """CallError: there is none."""
        full = group if "@" in group else f"{group}@{address.rpartition('@')[2]}"
        domain, name = await place(self._ctx, full, "groups")
        present = await self._ctx.editor.entry(Kind.GROUP, domain, name)
        if present is None:
            raise CallError(Failure.NOT_FOUND, f"groups: there is no group '{name}@{domain}'")
        return present

    async def _joined(self, group: str, address: str) -> DirectoryChange:
        present = await self._group(group, address)
        domain, name = present.domain, present.name
        key = f"{name}@{domain}".casefold()
        if key not in self._members:
            self._members[key] = values_of(present, "member")
        self._members[key] = tuple(dict.fromkeys((*self._members[key], address)))
        return DirectoryChange(Op.SET, Kind.GROUP, domain, name, {"member": self._members[key]})

    async def check(self) -> None:
        """Each line as if those before it were done: names that are taken, values that mean nothing."""
        calls = [[step] for step in self.domains.values()] + [steps for _, steps in self.steps]
        results = (await self._ctx.editor.check_each(calls))[len(self.domains) :]
        good = []
        for (line, steps), error in zip(self.steps, results, strict=True):
            if error is None:
                good.append((line, steps))
            elif faults := getattr(error, "faults", ()):
                self.fault(line, "; ".join(fault.text if not fault.path else f"{_part(fault.path)}{fault.text}"
                                           for fault in faults))  # fmt: skip
            else:
                raise error
        self.steps = good

    async def changes(self) -> list[DirectoryChange]:
        """All of it. Verifiers are made here, after all faults are known: each takes tens of milliseconds."""
        changes = list(self.domains.values())
        for line, (first, *rest) in self.steps:
            if not self._ctx.dry_run:
                # Its user's full name was looked at in `_of`.
                first = await with_password(self._ctx, first, line.password)
            changes += [first, *rest]
        return changes


def _part(path: str) -> str:
    """`user a@b: quota` -> `quota: `; of a whole record nothing."""
    name = path.rpartition(": ")[2]
    return f"{name}: " if name != path else ""


@call(
    "user",
    "import",
    right=Right.ACCOUNTS,
    operation=True,
    dangerous=True,
    reauthenticate=True,
    help="Adds users from a CSV, with a heading such as address,password,name,quota,aliases,forward,groups; exports of "
    "Kerio, Google, Microsoft and cPanel are understood.",
)
async def user_import(
    ctx: AdminContext,
    file: Annotated[FileText, "The CSV file; - for standard input."],
    update: Annotated[bool, "Change users that exist already instead of refusing; empty cells change nothing."] = False,
    create_domains: Annotated[bool, "Make domains that are not there yet."] = False,
    skip_bad: Annotated[bool, "Take the good lines although others are wrong."] = False,
) -> Imported:
    parsed = parse(file)
    lines, faults, ignored = parsed.lines, parsed.faults, parsed.ignored
    if not (lines or faults):
        raise CallError(Failure.USAGE, "file: holds no users: the table is empty", FieldFault("file", "holds no users"))
    work = _Import(ctx, update=update, create_domains=create_domains)
    for line in lines:
        await work.add(line)
    for line in () if skip_bad else parsed.wrong:
        await work.add(line, wrong=True)
    await work.check()
    if (faults or work.faults) and not skip_bad:
        work.clashes()
    faults = sorted([*faults, *work.faults], key=lambda fault: int(fault.name.rpartition(" ")[2]))
    if faults and not skip_bad:
        raise refused(faults)
    if ignored:
        ctx.warn(f"Columns that were not read: {', '.join(ignored[:20])}")
    confirm(ctx, [(line, steps[0]) for line, steps in work.steps])
    changes = await work.changes()
    if changes:
        await added(ctx, *changes)
    users = [steps[0] for _, steps in work.steps]
    new = sum(step.op is Op.ADD for step in users)
    _warn_of_passwords(ctx, work.steps)
    verb = "would be" if ctx.dry_run else "were"
    were = "was" if new == 1 and not ctx.dry_run else verb
    text = f"{counted(new, 'user')} {were} added, {len(users) - new} {verb} changed"
    if work.domains:
        text += f"; domains that {verb} added: {', '.join(work.domains)}"
    skipped = tuple(f"{fault.name}: {fault.text}" for fault in faults)
    if skipped:
        text += "\n".join(
            [
                f"; not taken: {counted(len(skipped), 'line')}:",
                *skipped[:MAX_FAULTS],
            ]
        )
    return Imported(new, len(users) - new, skipped, text)


def _warn_of_passwords(ctx: AdminContext, steps: Sequence[tuple[UserLine, list[DirectoryChange]]]) -> None:
    """Of users who are added and cannot sign in."""
    without = [
        f"{step.name}@{step.domain}" for line, (step, *_) in steps if step.op is Op.ADD and not line.password.reveal()
    ]
    if without:
        more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
        names = ", ".join(without[:_NAMED]) + more
        ctx.warn(f"{counted(len(without), 'user')} without a password, who cannot sign in: {names}")


@call(
    "user",
    "export",
    reads=True,
    right=Right.ACCOUNTS,
    shows="text",
    reauthenticate=True,
    help="Writes users as CSV, in the form that import reads. Passwords are not in it.",
)
async def user_export(
    ctx: AdminContext,
    domain: Annotated[str, "Only users of this domain.", Known("domain")] = "",
) -> Table:
    rest = [column for column in columns() if column.element not in ("full-name", "quota")]
    rows: list[list[str]] = []
    after = ""
    while True:
        users, after = await listed(ctx, Kind.USER, domain, "", after, PAGE)
        for user in users:
            head = (
                address_of(user),
                "",
                value_of(user, "full-name"),
                value_of(user, "rights", "none"),
                value_of(user, "quota", "0"),
            )
            rows.append([*head, *(_cell(column, user) for column in rest)])
        if not after:
            break
    heading = ["address", "password", "name", "rights", "quota", *(column.parameter for column in rest)]
    # A column in which nobody has anything says nothing.
    used = [at for at in range(len(heading)) if at < len(STANDARD) or any(row[at] for row in rows)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (heading, *rows):
        writer.writerow([defused(row[at]) for at in used])
    return Table(out.getvalue().rstrip("\n"))


def _cell(column: Field, user: Any) -> str:
    """Empty where the record says nothing."""
    if column.many:
        return "; ".join(values_of(user, column.element))
    text = value_of(user, column.element)
    return "" if text == usual(column.default) else text
