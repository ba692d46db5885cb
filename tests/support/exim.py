"""Exim as a client: Debian's program, unpacked beside Postfix and not installed, with its own configuration and queue.
It asks the system for its user, so it runs where it sees a password file that has one."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

USER = 64_999
"""Of Exim, while it runs here; nobody else's."""

CONFIG = """\
primary_hostname = exim.test
qualify_domain = exim.test
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
log_selector = +pipelining +tls_peerdn
keep_environment =
never_users =
disable_ipv6
smtp_accept_max = 0
begin routers
all:
  driver = manualroute
  route_list = * "127.0.0.1::{port}" byname
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
  hosts_try_chunking = *
  hosts_try_prdr = *
  hosts_try_fastopen =
  tls_verify_certificates =
  {tls} = *
begin retry
* * F,1h,1m
"""


class Exim:
    """Sends everything to a port of this machine. `program` is the path of exim4."""

    def __init__(self, program: str, folder: Path, port: int, *, tls: bool = False) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._program = shutil.copy(program, folder / "exim4")  # It calls itself again as its own user.
        for name, line in (
            ("passwd", f"Debian-exim:x:{USER}:{USER}::/:/bin/false"),
            ("group", f"Debian-exim:x:{USER}:"),
        ):
            (folder / name).write_text(Path("/etc", name).read_text() + line + "\n")
        # Its own user must reach its spool and log.
        for path in (folder, *folder.parents):
            if str(path).startswith("/tmp/"):
                path.chmod(path.stat().st_mode | 0o011)
        os.chown(folder, USER, USER)
        policy = "hosts_require_tls" if tls else "hosts_avoid_tls"
        (folder / "conf").write_text(CONFIG.format(program=self._program, folder=folder, port=port, tls=policy))

    def send(self, content: bytes, recipients: Sequence[str], how: str = "-odi") -> None:
        """`how`: -odi delivers at once, -odq leaves it in the queue. A dot does not end the message."""
        self.run("-oi", how, "-f", "sender@exim.test", *recipients, content=content)

    def run(self, *arguments: str, content: bytes = b"") -> None:
        files = " && ".join(f"mount --bind {self._folder / name} /etc/{name}" for name in ("passwd", "group"))
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'{files} && exec "$@"', "exim", str(self._program),
             "-C", str(self._folder / "conf"), *arguments],
            input=content, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def log(self) -> str:
        path = self._folder / "mainlog"
        return path.read_text(errors="replace") if path.exists() else ""
