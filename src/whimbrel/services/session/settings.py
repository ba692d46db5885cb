"""Settings of sign-in: where passwords may pass in the clear, and what happens to those who guess them."""

from collections.abc import Iterator

from whimbrel.core.credentials.policy import MADE, SHORTEST, PasswordPolicy
from whimbrel.core.definitions import IP_GROUP, Clients, Definitions
from whimbrel.core.network import reach
from whimbrel.core.settings import Concern, Danger, Section, Whole, setting
from whimbrel.core.values import Duration


def _plaintext(whole: Whole) -> Iterator[Concern]:
    four, six = reach(whole.section(Definitions).networks(whole.section(SecuritySettings).plaintext_from))
    if four or six:
        yield Concern(
            "security/plaintext-from", "passwords cross the Internet where everybody on the way can read them"
        )


class SecuritySettings(Section, tag="security", checks=(_plaintext,)):
    """Signing in to any service."""

    plaintext_from: tuple[Clients, ...] = setting(
        (),
        ref=IP_GROUP,
        help="Networks and IP groups from which passwords are taken without TLS. Best left empty.",
        row="S70",
        danger=Danger(
            "passwords cross the Internet where everybody on the way can read them",
            "passwords in the clear",
            ("0.0.0.0/0", "::/0"),
        ),
    )
    lock_out_after: int = setting(
        10,
        minimum=0,
        maximum=10_000,
        help="Failed sign-ins to one account from one address until both are locked. 0: never.",
    )
    lock_out_host_after: int = setting(
        100,
        minimum=0,
        maximum=100_000,
        help="Failed sign-ins from one address, whatever the account, until it is locked. 0: never.",
    )
    lock_out_window: Duration = setting(
        Duration("15m"),
        minimum=1,
        maximum=86400,
        help="Time in which failures are counted, and after which a lock ends.",
    )
    failure_delay: Duration = setting(
        Duration("1s"), minimum=0, maximum=30, help="Wait before a failed sign-in is answered."
    )
    max_failures_per_connection: int = setting(
        5, minimum=1, maximum=100, help="Failed sign-ins on one connection before it is closed.", advanced=True
    )
    password_min_length: int = setting(
        SHORTEST,
        minimum=1,
        maximum=MADE,
        help="Characters that a new password must have. Passwords that are set already go on working.",
    )
    password_link_expires: Duration = setting(
        Duration("3d"),
        minimum=300,
        maximum=30 * 86400,
        help="How long a link to set a password can be used, where nothing else is said when it is made.",
    )
    remember_sign_in: Duration = setting(
        Duration("10m"),
        minimum=0,
        maximum=600,
        help="How long a worker remembers a right password, so that a client with many connections costs one check.",
        advanced=True,
    )

    def password_policy(self) -> PasswordPolicy:
        """Asked whenever a password is set."""
        return PasswordPolicy(self.password_min_length)
