"""The table of all kinds of records in `users.cfg`, and of their parts in the order in which they are written.

A part stands beside the code that reads it (see `core/record.py`): a new setting of a user or a domain is one field
there, and here a line if the part is new. Parts load nothing but the core: the command line reads this table.
"""

from typing import Final

from whimbrel.core.address import Domain
from whimbrel.core.cleanout import DomainRetention, UserCleanOut
from whimbrel.core.departure import Departure
from whimbrel.core.people import (
    Access,
    AliasTargets,
    CatchAll,
    DomainNames,
    Forwarding,
    FurtherNames,
    Membership,
    Person,
    pattern,
    user_name,
)
from whimbrel.core.quota import DomainLimits, DomainMessageSize, MailboxQuota, UserMessageSize
from whimbrel.core.record import Kind, Part, RecordType
from whimbrel.core.spam import DomainScores, UserScores
from whimbrel.services.admin.people.template_part import TemplateGifts, TemplateOffer

DOMAIN: Final = RecordType(
    kind=Kind.DOMAIN,
    plural="domains",
    help="A domain we receive mail for.",
    name_help="The domain's name.",
    name_check=Domain,
    name_form="host",
    parts=(DomainNames, DomainMessageSize, DomainLimits, DomainRetention, DomainScores, CatchAll),
)

ALIKE: Final[tuple[type[Part], ...]] = (MailboxQuota, UserCleanOut, UserMessageSize, UserScores, Forwarding)
"""What many users may have alike: templates have these parts too."""

USER: Final = RecordType(
    kind=Kind.USER,
    plural="users",
    help="A user: a mailbox, and someone who signs in.",
    name_help="Login name; also the address before @.",
    name_check=user_name,
    name_form="local-part",
    parts=(
        Person,
        Access,
        FurtherNames,
        *ALIKE,
        Departure,
    ),
)

ALIAS: Final = RecordType(
    kind=Kind.ALIAS,
    plural="aliases",
    help="A name that stands for other addresses.",
    name_help="The name before @. * stands for any characters, ? for one.",
    name_check=pattern,
    name_form="local-part",
    parts=(AliasTargets,),
)

GROUP: Final = RecordType(
    kind=Kind.GROUP,
    plural="groups",
    help="Several people under one address.",
    name_help="The name before @.",
    name_check=user_name,
    name_form="local-part",
    parts=(Membership,),
)

TEMPLATE: Final = RecordType(
    kind=Kind.TEMPLATE,
    plural="templates",
    help="Values for new users, which are copied when a user is added from it.",
    name_help="The template's name, once in its domain. It is no address.",
    name_check=user_name,
    name_form="local-part",
    parts=(TemplateOffer, TemplateGifts, *ALIKE),
)

RECORDS: Final = (DOMAIN, USER, ALIAS, GROUP, TEMPLATE)
