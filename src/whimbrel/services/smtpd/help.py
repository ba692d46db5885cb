"""HELP: the commands that this session takes now, those of extensions only where EHLO or LHLO would offer them.

Standards: RFC 5321 4.1.1.8 (HELP), RFC 2033 4.1 (LHLO)
"""

from functools import lru_cache

from whimbrel.protocols.smtp.offers import EXTENSIONS
from whimbrel.protocols.smtp.reply import Reply
from whimbrel.protocols.smtp.state import Role, Terms


@lru_cache(64)
def commands(role: Role, terms: Terms) -> Reply:
    """The answer to HELP. EXPN is left out: it is known, and always refused."""
    lmtp = role is Role.LMTP
    offered = [verb for extension in EXTENSIONS if extension.offer(terms) for verb in sorted(extension.verbs)]
    verbs = ["LHLO" if lmtp else "HELO EHLO", "MAIL RCPT DATA RSET NOOP VRFY HELP QUIT", *offered]
    where = "RFC 5321 and RFC 2033 describe them" if lmtp else "RFC 5321 describes them"
    return Reply(214, "2.0.0", (" ".join(verbs), where))
