"""Settings of IMAP."""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration, Size


class ImapSettings(Section, tag="imap"):
    """Reading and keeping mail over IMAP."""

    max_append_size: Size = setting(
        Size("64M"), minimum=Size("64K"), maximum=Size("1G"), help="Largest message a client may store (APPEND)."
    )
    autologout: Duration = setting(
        Duration("30m"),
        minimum=Duration("30m"),
        maximum=Duration("24h"),
        help="A signed-in client that is silent for so long is signed out; at least 30 minutes (RFC 3501, 5.4).",
    )
    sign_in_time: Duration = setting(
        Duration("1m"), minimum=Duration("10s"), maximum=Duration("30m"), help="Time a client has to sign in."
    )
    idle_keep_alive: Duration = setting(
        Duration("4m"),
        minimum=Duration("10s"),
        maximum=Duration("29m"),
        help="How often a waiting client (IDLE) is sent a word, so that no router forgets the connection.",
        advanced=True,
    )
    unauthenticate: bool = setting(
        True,
        help="A client may sign out and in again over the same connection (UNAUTHENTICATE, RFC 8437). Switch it off "
        "where a proxy before this server looks only at the first sign-in of a connection.",
        advanced=True,
    )
