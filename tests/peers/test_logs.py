"""Programs that read our logs: fail2ban finds the hosts, rsyslog takes what we send over TCP, UDP and its socket."""

import contextlib
import imaplib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.mail import eventually, letter, submit
from tests.support.postfix import free_port
from tests.support.server import Running
from tests.unit.backends.logs.test_fail2ban import PACKAGING, lines

Maker = Callable[..., contextlib.AbstractContextManager[Running]]


@pytest.mark.peer("fail2ban-regex")
def test_fail2ban_matches_the_lines_that_the_server_writes(tmp_path: Path) -> None:
    log = tmp_path / "security.log"
    now = time.strftime("[%d/%b/%Y %H:%M:%S]", time.localtime())
    made = [now + line[22:] for line in lines()]
    log.write_text("\n".join([*made, f"{now} IMAP login: User: x, Sender-Host: 192.0.2.6, Method: PLAIN", ""]))
    done = subprocess.run(
        ["fail2ban-regex", "--print-all-matched", str(log), str(PACKAGING / "filter.d" / "whimbrel.conf")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert f"{len(made) + 1} lines, 0 ignored, {len(made)} matched, 1 missed" in done.stdout, done.stdout + done.stderr


@contextlib.contextmanager
def rsyslog(folder: Path, port: int) -> Iterator[Path]:
    """rsyslogd on loopback and a socket of its own; what it takes goes to a file."""
    out = folder / "out"
    (folder / "work").mkdir()
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}/work")\n'
        'module(load="imtcp")\nmodule(load="imudp")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imtcp" port="{port}" address="127.0.0.1")\n'
        f'input(type="imudp" port="{port}" address="127.0.0.1")\n'
        f'input(type="imuxsock" Socket="{folder}/log" UseSpecialParser="off")\n'
        'template(name="t" type="string" string="%syslogfacility-text%.%syslogseverity-text% %app-name% %msgid% '
        '%protocol-version%|%msg%\\n")\n'
        f'action(type="omfile" file="{out}" template="t")\n'
    )
    process = subprocess.Popen(["rsyslogd", "-n", "-f", str(config), "-i", str(folder / "pid")])
    try:
        for _ in eventually(20):
            if (folder / "log").exists():
                break
        yield out
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.mark.peer("rsyslogd")
@pytest.mark.root
@pytest.mark.parametrize("transport", ["tcp", "udp", "unix"])
def test_rsyslog_takes_what_the_server_sends(own_server: Maker, tmp_path: Path, transport: str) -> None:
    port = free_port()
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    with rsyslog(folder, port) as out:
        settings = {
            "logs/syslog/logs": ["mail", "security"],
            "logs/syslog/transport": transport,
            "logs/syslog/server": f"127.0.0.1:{port}",
            "logs/syslog/socket": str(folder / "log"),
            "logs/files/security/facility": "authpriv",
        }
        with own_server(settings) as server:
            submit(server, "user1@example.test", ["user2@example.test"], letter("for syslog"))
            client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
            with pytest.raises(imaplib.IMAP4.error):
                client.login("user1@example.test", "wrong")
            client.shutdown()
            text = ""
            for _ in eventually(30):
                text = out.read_text() if out.exists() else ""
                if "Failed IMAP login" in text and "Result: delivered" in text:
                    break
    assert "mail.info whimbrel message.received 1| Recv: Queue-ID: " in text.replace("|Recv", "| Recv"), text
    assert "authpriv.warning whimbrel signin.failed 1|" in text, text
