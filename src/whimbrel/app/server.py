"""Settings of the server itself: its user and its processes."""

import pwd
from collections.abc import Iterator

from whimbrel.core.settings import Concern, Gravity, Section, Whole, setting


def _user(whole: Whole) -> Iterator[Concern]:
    name = whole.section(ServerSettings).run_as
    if not name:
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


class ServerSettings(Section, tag="server", checks=(_user,)):
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
