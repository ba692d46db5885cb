"""Users from and to a table: CSV with the columns address, password, name, rights, quota.

A ready verifier may stand for a password, also one of another server's (`core/credentials/schemes.py`). Everything is
taken or nothing; every fault is told with its line.
"""

import csv
import io
from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.address import Domain
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Kind, Op, Rights
from whimbrel.core.rights import Right
from whimbrel.core.values import Secret, Size
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, FileText, Known, call, nearest
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people import PAGE, address_of, change, changed, listed, one, place
from whimbrel.services.admin.users import default_quota, may_change, may_grant, with_password

COLUMNS: Final = ("address", "password", "name", "rights", "quota")
_MAX_FAULTS: Final = 50


@dataclass(frozen=True, slots=True)
class Imported:
    added: int
    changed: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """`text` is the CSV."""

    text: str


@dataclass(frozen=True, slots=True)
class UserLine:
    """One line of the table, checked."""

    number: int
    address: str
    password: Secret
    full_name: str
    rights: Rights | None
    quota: Size | None


def read_users(text: str) -> list[UserLine]:
    """The lines of a table. A first line that begins with `address` names the columns. CallError tells every fault."""
    lines: list[UserLine] = []
    faults: list[FieldFault] = []
    columns: tuple[str, ...] = COLUMNS
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        for row in reader:
            number = reader.line_num
            if not any(cell.strip() for cell in row) or row[0].startswith("#"):
                continue
            if row[0].strip().lower() == "address":
                columns = tuple(cell.strip().lower() for cell in row)
                faults += [
                    FieldFault(f"line {number}", f"unknown column '{name}'{nearest(name, COLUMNS)}")
                    for name in columns
                    if name not in COLUMNS
                ]
                continue
            if len(row) > len(columns):
                faults.append(FieldFault(f"line {number}", f"has {len(row)} columns, not {len(columns)}"))
                continue
            try:
                lines.append(_line(number, dict(zip(columns, row, strict=False))))
            except ValueError as error:
                faults.append(FieldFault(f"line {number}", str(error)))
    except csv.Error as error:
        faults.append(FieldFault(f"line {reader.line_num}", f"is not CSV: {error}"))
    if faults:
        raise _refused(faults)
    return lines


def _line(number: int, cells: dict[str, str]) -> UserLine:
    cells = {name: cell if name == "password" else cell.strip() for name, cell in cells.items()}
    if any(char < " " or char == "\x7f" for cell in cells.values() for char in cell):
        raise ValueError("control characters and line breaks are not allowed")
    rights = cells.get("rights", "")
    if rights and rights not in [right.value for right in Rights]:
        known = [right.value for right in Rights]
        raise ValueError(f"rights: '{rights}' is not one of {', '.join(known)}{nearest(rights, known)}")
    try:
        password_or_verifier(Secret(cells.get("password", "")))
    except ValueError as error:
        raise ValueError(f"password: {error}") from None
    return UserLine(
        number,
        cells.get("address", ""),
        Secret(cells.get("password", "")),
        cells.get("name", ""),
        Rights(rights) if rights else None,
        Size(cells["quota"]) if cells.get("quota") else None,
    )


def _refused(faults: list[FieldFault]) -> CallError:
    shown = faults[:_MAX_FAULTS]
    more = f"\nand {len(faults) - len(shown)} more" if len(faults) > len(shown) else ""
    text = "\n".join(f"{fault.name}: {fault.text}" for fault in shown)
    return CallError(Failure.REFUSED, f"No user was taken:\n{text}{more}", *shown)


@call("user", "import", right=Right.ACCOUNTS, help="Adds users from a CSV: address, password, name, rights, quota.")
async def user_import(
    ctx: AdminContext,
    file: Annotated[FileText, "The CSV file; - for standard input."],
    update: Annotated[bool, "Change users that exist already instead of refusing; empty cells change nothing."] = False,
) -> Imported:
    steps: list[tuple[UserLine, DirectoryChange]] = []
    faults: list[FieldFault] = []
    seen: dict[str, int] = {}
    for line in read_users(file):
        try:
            step = await _step(ctx, line, update=update)
            key = f"{step.name.casefold()}@{step.domain}"
            if key in seen:
                raise CallError(Failure.REFUSED, f"{key} stands in line {seen[key]} already")
            seen[key] = line.number
            steps.append((line, step))
        except CallError as error:
            faults.append(FieldFault(f"line {line.number}", error.text))
    if faults:
        raise _refused(faults)
    # Verifiers last: each takes tens of milliseconds, and a fault is told before the first one is made.
    changes = [step if ctx.dry_run else await with_password(ctx, step, line.password) for line, step in steps]
    if changes:
        await change(ctx, *changes)
    added = sum(step.op is Op.ADD for step in changes)
    verb = "would be" if ctx.dry_run else "were"
    return Imported(added, len(changes) - added, f"{added} users {verb} added, {len(changes) - added} {verb} changed")


async def _step(ctx: AdminContext, line: UserLine, *, update: bool) -> DirectoryChange:
    domain, local = await place(ctx, line.address, "address")
    may_grant(ctx, line.rights, Domain(domain))
    found = await ctx.editor.entry(Kind.USER, domain, local)
    if found is not None:
        if not update:
            raise CallError(Failure.REFUSED, f"{address_of(found)} exists already; --update changes it")
        may_change(ctx, found)
    quota = line.quota
    if found is None and quota is None:
        quota = await default_quota(ctx, domain)
    return changed(
        Op.ADD if found is None else Op.SET, Kind.USER, domain, local,
        full_name=line.full_name or None, rights=line.rights.value if line.rights else None, quota=quota,
    )  # fmt: skip


@call(
    "user",
    "export",
    reads=True,
    right=Right.ACCOUNTS,
    shows="text",
    help="Writes users as CSV, in the form that import reads. Passwords are not in it.",
)
async def user_export(
    ctx: AdminContext,
    domain: Annotated[str, "Only users of this domain.", Known("domain")] = "",
) -> Table:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    after = ""
    while True:
        found, after = await listed(ctx, Kind.USER, domain, "", after, PAGE)
        for user in found:
            writer.writerow(
                (address_of(user), "", one(user, "full-name"), one(user, "rights", "none"), one(user, "quota", "0"))
            )
        if not after:
            return Table(out.getvalue().rstrip("\n"))
