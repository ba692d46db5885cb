"""Settings of the server itself: its user and its processes."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.settings import Concern, Gravity, Section, Whole, setting


def _user(whole: Whole) -> Iterator[Concern]:
    name = whole.section(ServerSettings).run_as
    if not name:
        yield from _nobody(whole)
        return
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        yield Concern(
            "server/run-as", f"there is no user {name} on this system; make one: useradd -r {name}", Gravity.WRONG
        )
        return
    if found.pw_uid == 0:
        yield Concern("server/run-as", f"{name} is root: a hole in any service would be one in the whole system")


_SYSTEM: Final = range(1, 1000)
"""Numbers of users that no person signs in as. useradd(8), SYS_UID_MAX"""


def _nobody(whole: Whole) -> Iterator[Concern]:
    """Who tries the server out under his own name names nobody; a server that root starts has a user of its own."""
    try:
        owner = os.stat(whole.folder).st_uid
        if owner in _SYSTEM:
            name = pwd.getpwuid(owner).pw_name
            yield Concern(
                "server/run-as",
                f"names nobody, and the files are those of {name}: root could not start the server any more; "
                f"set it to {name}",
            )
    except (OSError, KeyError):
        return


def _readable(whole: Whole) -> Iterator[Concern]:
    """Root can read everything; the server, under its own user, must read certificates and keys again and again."""
    name = whole.section(ServerSettings).run_as
    if not name or os.geteuid() != 0:
        return  # Who is not root sees for himself whether he can read them.
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return
    if user.pw_uid == 0:
        return
    groups = frozenset(os.getgrouplist(name, user.pw_gid))
    for path, file in whole.section(TlsSettings).files:
        barred = _barred(file, user.pw_uid, groups) if os.path.isabs(file) else ""
        if barred:
            yield Concern(path, f"{name}, under whom the server runs, cannot read {barred}", Gravity.WRONG)


def _barred(file: str, uid: int, groups: frozenset[int]) -> str:
    """The folder or file at which a user would fail; empty if there is none, or nothing is there."""
    real = Path(os.path.realpath(file))
    for place in [*reversed(real.parents), real]:
        try:
            status = place.stat()
            if "system.posix_acl_access" in os.listxattr(place):
                continue  # It says more than the mode does.
        except FileNotFoundError:
            return ""
        except OSError:
            status = place.stat()
        right = 0o1 if place != real else 0o4
        shift = 6 if status.st_uid == uid else 3 if status.st_gid in groups else 0
        if not status.st_mode >> shift & right:
            return str(place)
    return ""


class ServerSettings(Section, tag="server", checks=(_user, _readable)):
    """The server's own processes."""

    run_as: str = setting(
        "",
        help="User for all but the supervisor, which alone may be root. Empty: the user who starts the server; refused "
        "for root.",
        applies="restart",
        row="S20",
    )
    mail_workers: int = setting(
        0, minimum=0, maximum=64, help="Processes that serve mail sessions; 0: one for each core.", applies="restart"
    )
