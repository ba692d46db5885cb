"""The demonstration: what it sets up, keeps and tells."""

import hashlib
import json
import re
import ssl
import stat
from pathlib import Path

import pytest

from whimbrel.app import demo, demo_card
from whimbrel.app.demo import DemoError, next_free, prepare
from whimbrel.app.demo_card import Endpoint, User, commands, table, write_demo
from whimbrel.app.installation import Installation
from whimbrel.backends.tls import authority
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.services.session.services import ServicesSettings
from whimbrel.services.session.settings import SecuritySettings

SERVICES = {name: Endpoint("127.0.0.1", 20000 + port, "none") for name, port in demo.STANDARD.items()}
USERS = tuple(User(f"{name}@example.test", f"pw-{name}", rights) for name, _, rights in demo.USERS)


def test_the_first_start_makes_what_the_second_one_keeps(tmp_path: Path) -> None:
    first = prepare(tmp_path / "var")
    config = Installation(tmp_path / "var").load_config()
    services = config.section(ServicesSettings)
    for name in demo.STANDARD:
        service = services.named(name)
        assert service.enabled
        assert [address.host for address in service.listen] == ["127.0.0.1"]
        assert service.listen[0].port >= 20000 + demo.STANDARD[name]
    assert config.section(DeliverySettings).hold_remote
    assert set(config.section(SecuritySettings).plaintext_from) == {"127.0.0.0/8", "::1/128"}
    assert Path(config.section(TlsSettings).certificate).is_file()
    assert [(user.address, user.rights) for user in first] == [
        ("admin@example.test", "server-write"),
        ("alice@example.test", "none"),
        ("bob@example.test", "none"),
        ("carol@example.test", "none"),
    ]
    assert len({user.password for user in first}) == 4
    before = (tmp_path / "var" / "users.cfg").read_bytes()
    assert prepare(tmp_path / "var") == first
    assert (tmp_path / "var" / "users.cfg").read_bytes() == before
    assert stat.S_IMODE((tmp_path / "var" / "demo-users.json").stat().st_mode) == 0o600
    assert (tmp_path / "var" / "demo-ca.pem").is_file()


def test_a_server_that_is_no_demonstration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mailserver.cfg").write_text("<mailserver/>")
    with pytest.raises(DemoError, match="no demonstration"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mailserver.cfg"]


def test_the_next_port_is_taken_when_one_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    class Probe:
        def __enter__(self) -> "Probe":
            return self

        def __exit__(self, *error: object) -> None: ...
        def setsockopt(self, *option: int) -> None: ...
        def listen(self, backlog: int) -> None: ...

        def bind(self, address: tuple[str, int]) -> None:
            tried.append(address[1])
            if address[1] < 20027:
                raise OSError("in use")

    monkeypatch.setattr("whimbrel.app.demo.socket.socket", Probe)
    taken = {20028}
    assert (next_free(20025, taken), next_free(20025, taken)) == (20027, 20029)
    assert 20028 not in tried


def test_passwords_are_readable_and_not_the_same() -> None:
    made = {demo.make_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-z]{6}-[a-z]{6}-\d\d", password) for password in made)


def test_demo_json_has_the_form_that_programs_read(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo.json", tmp_path, 42, SERVICES, USERS)
    told = json.loads((tmp_path / "demo.json").read_text())
    assert set(told) == {"pid", "dir", "ca", "services", "users"}
    assert (told["pid"], told["dir"], told["ca"]) == (42, str(tmp_path), str(tmp_path / "demo-ca.pem"))
    assert set(told["services"]) == set(demo.STANDARD)
    assert told["services"]["smtp"] == {"host": "127.0.0.1", "port": 20025, "tls": "none"}
    assert told["users"][0] == {"address": "admin@example.test", "password": "pw-admin", "rights": "server-write"}
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_one_table_shows_every_service_and_user(tmp_path: Path) -> None:
    text = table(tmp_path, SERVICES, USERS, 1.0)
    for name, service in SERVICES.items():
        assert re.search(rf"^{name} +127\.0\.0\.1:{service.port} ", text, re.MULTILINE)
    for user in USERS:
        assert user.address in text
        assert user.password in text


def test_the_console_comes_first_of_all(tmp_path: Path) -> None:
    pair = authority.self_signed(["localhost"])
    (tmp_path / "demo-cert.pem").write_bytes(pair.certificate)
    lines = table(tmp_path, SERVICES, USERS, 1.0).splitlines()
    assert lines[0] == "Console: https://localhost:64337"
    assert lines[1] == "Sign in as admin@example.test, password pw-admin"
    assert lines[2].endswith(str(tmp_path / "demo-ca.pem"))
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.decode())
    assert lines[3].replace(":", "").split()[-1].lower() == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("installed", [(), ("curl",), ("swaks", "curl")])
def test_three_commands_use_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...]
) -> None:
    monkeypatch.setattr(demo_card.shutil, "which", lambda name: name if name in installed else None)
    known = {user.address.partition("@")[0]: user for user in USERS}
    found = list(commands(tmp_path, SERVICES, known))
    assert len(found) == 3
    for name in ("curl", "swaks"):
        if name not in installed:
            assert all(name not in command for command in found)
    assert "--dir" in found[2]
