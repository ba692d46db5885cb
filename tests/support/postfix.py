"""Debian's Postfix as the other side: its own configuration, queue and data, on loopback, nothing of the system's."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

MASTER = """\
{listen}  inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 20.0) -> None:
    """Until something listens there. TimeoutError."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.05)


class Postfix:
    """A running Postfix. `settings` go into main.cf over the defaults here."""

    def __init__(self, folder: Path, settings: Mapping[str, str], port: int = 0) -> None:
        self.port = port or free_port()
        self.folder = folder
        self.config, self.queue, self.data = folder / "config", folder / "queue", folder / "data"
        for path in (self.config, self.queue, self.data):
            path.mkdir(parents=True)
        # Postfix's own user must reach its queue and data.
        for path in (folder, *folder.parents):
            if path.owner() == pwd.getpwuid(os.getuid()).pw_name and str(path).startswith("/tmp/"):
                path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(self.data, "postfix", "postfix")
        defaults = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue),
            "data_directory": str(self.data),
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "smtp_host_lookup": "native",
            "mynetworks": "127.0.0.0/8",
            "myhostname": "peer.test",
            "mydestination": "peer.test",
            "local_recipient_maps": "",
            "alias_maps": "",
            "alias_database": "",
            "biff": "no",
            "append_dot_mydomain": "no",
            "maillog_file": str(folder / "log"),
            "maillog_file_prefixes": "/",
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
        }
        lines = [f"{name} = {value}" for name, value in {**defaults, **settings}.items()]
        (self.config / "main.cf").write_text("\n".join(lines) + "\n")
        (self.config / "master.cf").write_text(MASTER.format(listen=f"127.0.0.1:{self.port}"))

    def __enter__(self) -> "Postfix":
        start = ["postfix", "-c", str(self.config), "start"]
        if subprocess.run(start, check=False, capture_output=True, timeout=30).returncode:
            # Another program may have had its port for a moment.
            time.sleep(1)
            subprocess.run(start, check=True, capture_output=True, timeout=30)
        wait_for_port(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["postfix", "-c", str(self.config), "stop"], check=False, capture_output=True, timeout=60)

    @property
    def master_pid(self) -> int:
        return int((self.queue / "pid" / "master.pid").read_text())

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def postfix_with_maildir(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[Postfix, Path]]:
    """Takes mail for anybody@peer.test into one Maildir, by its virtual delivery agent."""
    maildir = folder / "mail"
    maildir.mkdir(parents=True)
    owner = pwd.getpwnam("postfix")
    os.chown(maildir, owner.pw_uid, owner.pw_gid)
    virtual = {
        "mydestination": "",
        "virtual_mailbox_domains": "peer.test",
        "virtual_mailbox_base": str(maildir),
        "virtual_mailbox_maps": "static:all/",
        "virtual_minimum_uid": "1",
        "virtual_uid_maps": f"static:{owner.pw_uid}",
        "virtual_gid_maps": f"static:{owner.pw_gid}",
    }
    with Postfix(folder / "postfix", virtual | dict(settings or {})) as peer:
        yield peer, maildir / "all"
