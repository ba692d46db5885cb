"""A link to set a password on a real server, over HTTPS: made by the command, used by a stranger's browser."""

import http.client
import imaplib
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import eventually, imap
from tests.support.server import Running, command, free_ports, serving, set_up
from whimbrel.services.console.password_link import MAX_WRONG

LOOK, SET = "/api/password-link", "/api/password-link/set"
NEW = "seven-green-kites"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("link") / "server"
    settings = {"server/mail-workers": "1"}
    set_up(directory, 1, free_ports(["imaps", "console"]), settings, more=("bob", "carl"))
    with serving(directory) as running:
        yield running


def context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def ask(server: Running, path: str, body: object = None, method: str = "POST", **more: str) -> tuple[int, Any]:
    """As a browser on the page does."""
    port = server.ports["console"]
    headers = {"Content-Type": "application/json", "Origin": f"https://localhost:{port}"}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=context())
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if "json" in (answer.getheader("content-type") or "") else text.decode()
    finally:
        connection.close()


def new(server: Running, name: str, *options: str) -> str:
    """The secret of a new link."""
    link = command(server.directory, "user", "password-link", name, *options).strip()
    match = re.fullmatch(rf"https://localhost:{server.ports['console']}/set-password#([\w-]{{43}})", link)
    assert match, link
    return match[1]


def use(server: Running, secret: str, password: str = NEW, **more: str) -> int:
    return ask(server, SET, {"link": secret, "password": password}, **more)[0]


def logs(server: Running) -> str:
    return "".join(each.read_text("utf-8", "replace") for each in (server.directory / "store" / "logs").glob("*.log"))


def test_a_link_is_used_once_ends_sessions_and_leaves_no_trace_of_its_secret(server: Running) -> None:
    with imap(server, "bob@example.test") as before:
        secret = new(server, "bob@example.test")
        status, page = ask(server, f"/set-password?{'x' * 3}", method="GET")
        assert status in (200, 503) and secret not in page
        status, answer = ask(server, LOOK, {"link": secret})
        assert status == 200 and answer["result"]["address"] == "bob@example.test"
        assert use(server, secret, "short") == 422
        assert use(server, secret, Origin="https://evil.test") == 403
        assert ask(server, f"{SET}?link={secret}&password={NEW}", method="GET")[0] in (401, 405)
        assert use(server, secret) == 200
        assert use(server, secret, "another-green-kite") == 404
        assert any(_ended(before) for _ in eventually(30)), "the session with the former password ends"
    with imap(server, "bob@example.test", password=NEW):
        pass
    text = logs(server)
    assert "Used password link" in text and secret not in text and NEW not in text
    assert secret not in (server.directory / "password-links.json").read_text()


def _ended(client: imaplib.IMAP4_SSL) -> bool:
    try:
        client.noop()
    except (imaplib.IMAP4.error, OSError):
        return True
    return False


def test_a_link_is_void_once_its_user_is_disabled_made_anew_or_has_another_link(server: Running) -> None:
    name = "carl@example.test"
    first, second = new(server, name), new(server, name, "--expires", "5m")
    assert use(server, first) == 404
    command(server.directory, "user", "disable", name)
    assert use(server, second) == 404
    command(server.directory, "user", "enable", name)
    assert ask(server, LOOK, {"link": second})[0] == 200
    command(server.directory, "user", "password-link-revoke", name)
    assert use(server, second) == 404
    third = new(server, name)
    command(server.directory, "user", "remove", name, "--yes")
    command(server.directory, "user", "add", name)
    assert use(server, third) == 404
    assert json.loads(command(server.directory, "user", "show", name, "--json"))["has_password"] is False


def test_a_link_outlives_a_restart_and_wrong_ones_are_answered_so_often(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    set_up(directory, 1, free_ports(["imaps", "console"]), {"server/mail-workers": "1"})
    with serving(directory) as running:
        secret = new(running, "user1@example.test")
    with serving(directory) as running:
        assert ask(running, LOOK, {"link": secret})[0] == 200
        for number in range(MAX_WRONG):
            assert use(running, f"{number:043d}") == 404
        assert use(running, secret) == 429
        with pytest.raises(imaplib.IMAP4.error), imap(running, "user1@example.test", password=NEW):
            pass
