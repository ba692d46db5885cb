"""Debian's Dovecot 2.3 as the other side: IMAP, POP3 and LMTP on loopback, nothing of the system's. Needs root."""

import contextlib
import imaplib
import os
import poplib
import pwd
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.postfix import free_port

PASSWORD = "secret"
CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
login_trusted_networks = 127.0.0.0/8
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_location = {storage}:{folder}/mail/%u
mail_max_userip_connections = 1000
passdb {{
  driver = static
  args = password={password} allow_nets=127.0.0.0/8
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
{extra}
"""


class Dovecot:
    """A running Dovecot. Any user name signs in with `PASSWORD`; its mail is made on first use and gone at the end.

    `storage` is a mail_location driver (sdbox, maildir, mdbox); `extra` goes to the end of the configuration.
    """

    def __init__(self, storage: str = "sdbox", extra: str = "", parent: str = "/tmp") -> None:
        # A short path of its own: sockets have at most 107 characters, and the mail user must be able to enter.
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir=parent))
        self.imap, self.pop3, self.lmtp = free_port(), free_port(), free_port()
        owner = pwd.getpwnam("nobody")
        self.folder.chmod(0o755)
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", owner.pw_uid, owner.pw_gid)
        self.config = self.folder / "dovecot.conf"
        self.config.write_text(
            CONFIG.format(
                folder=self.folder, user=owner.pw_uid, group=owner.pw_gid, storage=storage, password=PASSWORD,
                imap=self.imap, pop3=self.pop3, lmtp=self.lmtp, extra=extra,
            )
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Dovecot":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Until it answers. TimeoutError if it does not."""
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                self.client("probe").logout()
                return
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError(f"Dovecot does not answer: {self.log()[-2000:]}")
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.remove()

    def stop(self) -> None:
        """Its mail stays: `start` goes on with it."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def client(self, user: str) -> imaplib.IMAP4:
        """A signed-in IMAP connection."""
        connection = imaplib.IMAP4("127.0.0.1", self.imap, timeout=30)
        connection.login(user, PASSWORD)
        return connection

    def pop3_client(self, user: str) -> poplib.POP3:
        connection = poplib.POP3("127.0.0.1", self.pop3, timeout=30)
        connection.user(user)
        connection.pass_(PASSWORD)
        return connection

    def deliver(self, sender: str, recipients: list[str], message: bytes) -> None:
        """By LMTP."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as connection:
            connection.sendmail(sender, recipients, message)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def dovecot(storage: str = "sdbox", extra: str = "") -> Iterator[Dovecot]:
    with Dovecot(storage, extra) as peer:
        yield peer
