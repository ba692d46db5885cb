"""Which mailboxes a client means when it says inboxes, personal, subtree and the like.

Standards: RFC 5465 6 (filter-mailboxes), RFC 7377 2.2 (subtree-one)
"""

from collections.abc import Iterable

from whimbrel.core.mailbox import DELIMITER, INBOX, SpecialUse
from whimbrel.services.session.namespaces import Kind, Mailbox


def spelled(name: str) -> str:
    """INBOX is one name in any case. RFC 3501 5.1"""
    return INBOX if name.upper() == INBOX else name


def delivered_to(folder: Mailbox) -> bool:
    """Mail comes there by itself (`flow.placement`). RFC 5465 6.3"""
    return folder.name == INBOX or (folder.kind is Kind.PERSONAL and folder.special_use is SpecialUse.JUNK)


def below(name: str, tops: Iterable[str], *, deep: bool = True) -> bool:
    """`name` is one of `tops` or under it; not `deep`: at most one level. RFC 5465 6.5, RFC 7377 2.2"""
    for top in map(spelled, tops):
        rest = name.removeprefix(top + DELIMITER)
        if name == top or (rest != name and (deep or DELIMITER not in rest)):
            return True
    return False
