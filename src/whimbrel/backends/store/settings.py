"""Where mail is kept, and for how long what was deleted can be brought back."""

from collections.abc import Iterator
from typing import Final

from whimbrel.core.settings import Concern, Danger, Section, Whole, setting
from whimbrel.core.values import Duration

ANOTHER_STORE: Final = "another store"
"""Typed by who names another directory without moving what is in the one in force."""


def _kept(whole: Whole) -> Iterator[Concern]:
    if not whole.section(StoreSettings).keep_deleted:
        yield Concern("store/keep-deleted", "what users delete, by mistake too, is gone at once and for good")


class StoreSettings(Section, tag="store", checks=(_kept,)):
    """The mail store."""

    directory: str = setting(
        "store",
        pattern=r"^[^\x00-\x1f]{1,1000}$",
        like="the path of a directory",
        help="Directory of mail, queue and logs; a relative one lies in the directory of the configuration.",
        applies="restart",
        row="S24",
        check="directory",
        danger=Danger(
            "the mail is not moved: from the next start on the server looks for all mail, queue and logs in the other "
            "directory. Stop the server and move them there first",
            ANOTHER_STORE,
        ),
    )
    keep_deleted: Duration = setting(
        Duration("14d"), minimum=0, maximum=Duration("3650d"), help="How long expunged messages can still be restored."
    )
    self_check: Duration = setting(
        Duration("6h"),
        minimum=1,
        maximum=Duration("30d"),
        help="Pause between two rounds in which every folder's index is compared with its files and healed.",
        row="S28",
        advanced=True,
    )
