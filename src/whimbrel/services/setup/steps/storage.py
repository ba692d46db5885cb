"""The step `storage`: where mail, queue and logs lie."""

from collections.abc import Sequence
from typing import Final

from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Values, text
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

MAILBOX: Final = 2 << 30
"""Octets that a mailbox has after some years, as offices go."""
LITTLE: Final = 5 << 30
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p"})
_FLEETING: Final = frozenset({"tmpfs", "ramfs"})
_INSIDE: Final = frozenset({"overlay", "aufs"})
_POOR: Final = frozenset({"vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"})


def _disk(values: Values, machine: Machine) -> Sequence[Finding]:
    store = values.text("store")
    if not store:
        return []
    try:
        disk = machine.disk(store)
    except OSError as error:
        return [Finding(Level.ERROR, f"{store}: {error.strerror or error}", "Name another directory.", "store")]
    where = "a file system of its own" if disk.separate else "the file system of the system itself"
    kind = f", {disk.kind}" if disk.kind else ""
    boxes = disk.free // MAILBOX
    say = f"{_size(disk.free)} free of {_size(disk.total)} on {where}{kind}: room for about {boxes} mailboxes of 2 GB."
    if not disk.writable:
        return [Finding(Level.ERROR, f"{store} cannot be written to.", "Change its owner, or name another.", "store")]
    findings = [ok(say)]
    if disk.missing:
        text = f"{disk.missing} is not there and will be made: is the path right?"
        findings.append(Finding(Level.WARNING, text, "Nothing, if it is.", "store"))
    if disk.free < LITTLE:
        findings = [Finding(Level.WARNING, say, "Below 1 GB free no mail is taken; name a larger disk.", "store")]
    if disk.kind in _FLEETING:
        advice = "Name a directory on a disk."
        findings.append(Finding(Level.ERROR, f"{disk.kind} is gone at the next start of the machine.", advice, "store"))
    elif disk.kind in _REMOTE:
        advice = "Use a local disk, or a block device of the network (iSCSI)."
        remote = f"{disk.kind} does not keep locks and writes as mail needs them."
        findings.append(Finding(Level.WARNING, remote, advice, "store"))
    elif disk.kind in _INSIDE:
        advice = "Name a directory that is a volume of the container."
        findings.append(Finding(Level.WARNING, f"{disk.kind} is gone with the container.", advice, "store"))
    elif disk.kind.startswith("fuse."):
        text = f"{disk.kind} is the file system of a program: many of them do not keep locks and writes as mail needs."
        findings.append(Finding(Level.WARNING, text, "Use a local disk.", "store"))
    elif disk.kind in _POOR:
        poor = f"{disk.kind} has no hard links or owners, which the store needs."
        findings.append(Finding(Level.WARNING, poor, "Use ext4, XFS, Btrfs or ZFS.", "store"))
    return findings


def _scanners(values: Values, machine: Machine) -> Sequence[Finding]:
    names = machine.scanners(values.text("store"))
    if not names:
        return [ok("No on-access virus scanner is at work here.")]
    return [
        Finding(
            Level.WARNING,
            f"{', '.join(names)} looks at files when they are opened, and may take mail away.",
            f"Exclude the directory {values.text('store') or 'store'} from it: a file that it removes is a message "
            "that is gone. Whimbrel goes on and heals the folder, but has no other copy.",
            "store",
        )
    ]


def _size(octets: int) -> str:
    for unit, name in ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB")):
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets >> 10} kB"


def _add(values: Values, making: Making) -> None:
    making.store = values.text("store")


def _words(values: Values) -> Sequence[str]:
    return [f"Mail, queue and logs lie in {values.text('store')}."]


STORAGE = Step(
    "storage",
    "Storage",
    "The directory of mail, queue and logs: a new or an empty one, on a disk with room for years.",
    (
        Field(
            name="store",
            title="Directory of mail, queue and logs",
            help="Below the installation, or a whole path.",
            read=text,
            judge=lambda store, machine: machine.store_fault(store),
            default="store",
        ),
    ),
    (Check("disk", "Disk", _disk), Check("scanners", "Virus scanners", _scanners)),
    add=_add,
    words=_words,
)
