"""How large a message a user may send, and a mailbox takes: what the user has, else the user's domain.

The server's own limit bounds both and is checked apart from them (`protocols/smtp/offers/size.py`, the filter `size`).

Standards: RFC 1870 6.1 (SIZE at MAIL and RCPT), RFC 3463 3.3 (X.2.3)
"""

from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError


class SizeLimits:
    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def of(self, account: Account) -> int:
        """Octets; 0: the server's limit alone."""
        domain = await self._directory.domain(account.address.domain)
        limits = (account.max_message_size, domain.max_message_size if domain is not None else 0)
        return min((limit for limit in limits if limit), default=0)

    async def check(self, account: Account, size: int) -> None:
        """MailError if the account's mailbox does not take messages of `size` octets."""
        if not size:
            return
        limit = await self.of(account)
        if limit and size > limit:
            raise MailError(552, "5.2.3", f"Message is too large for this mailbox, the limit is {limit} octets")
