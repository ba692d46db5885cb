"""What a template of users says beside the values of a user's record: for whom it is, and what a record has not.

A template is a named set of values for new users. They are copied when a user is added: a later change of the template
changes nobody.
"""

from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Domain
from whimbrel.core.directory import Rights
from whimbrel.core.people import recipient
from whimbrel.core.record import Part, value
from whimbrel.core.rights import Grant

EVERYWHERE: Final = "*"
"""Stands for all domains."""


def offer(text: str) -> str:
    """A domain's name, or `*`. ValueError"""
    return EVERYWHERE if text.strip() == EVERYWHERE else str(Domain(text))


@dataclass(frozen=True, slots=True)
class TemplateOffer(Part):
    """For whom a template is."""

    description: str = value("", help="A remark for administrators, about the template.")
    offered_to: tuple[str, ...] = value(
        (), check=offer, reference="domain",
        help="Further domains whose new users may be added from it; * for all. Its own domain always may.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TemplateGifts(Part):
    """What new users get beside values of their own records."""

    remark: str = value("", help="The description, a remark for administrators, that new users get.")
    groups: tuple[str, ...] = value(
        (), element="group", option="group", check=recipient, form="email", address=True, reference="group",
        help="Groups that new users are taken into.",
    )  # fmt: skip
    rights: Rights = value(Rights.NONE, help="What new users may administer.", row="S12")
    grants: tuple[Grant, ...] = value(
        (), element="grant", option="grant",
        help="Further rights of new users: 'domain' or 'accounts' with names of domains, as in domain example.org "
        "example.net; mail-read, for other people's mail. Without domains: in the user's own.",
    )  # fmt: skip
