"""What a service extension of the server is: an EHLO line, parameters of MAIL and RCPT, verbs.

Standards: RFC 5321 2.2.2 (registered extensions), 4.1.1.11 (parameters), 4.1.1.1 (EHLO).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from whimbrel.protocols.smtp.server_events import Mail, Rcpt, ServerEvent
from whimbrel.protocols.smtp.state import State, Terms

MailParameter = Callable[[Mail, str | None, Terms], None]
"""Reads `KEY=value` (None without `=`) into the event. Raises Refusal."""
RcptParameter = Callable[[Rcpt, str | None, Terms], None]
Verb = Callable[[State, str], ServerEvent]
"""Reads what follows the verb. Raises Refusal."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension. Parameters are read only after EHLO has offered it; a verb always, and refuses by itself."""

    offer: Callable[[Terms], str]
    """The EHLO line; empty if it is not offered on these terms."""
    mail: Mapping[str, MailParameter] = field(default_factory=dict)
    rcpt: Mapping[str, RcptParameter] = field(default_factory=dict)
    verbs: Mapping[str, Verb] = field(default_factory=dict)
