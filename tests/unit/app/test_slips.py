"""Slips of the pen in settings: told in a sentence, at the setting that they are in, before they do harm."""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.app import server as run_as
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.tls import certificate_check
from whimbrel.backends.tls.authority import KeyPair, make_authority, self_signed, sign
from whimbrel.core.config import ConfigError
from whimbrel.core.network import Network, contains, widest
from whimbrel.services.admin.calls import CallError, Failure


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def files(folder: Path, name: str, pair: KeyPair) -> tuple[str, str]:
    """Files of a certificate and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    return str(certificate), str(key)


def refusal(office: Office, call: str, **arguments: object) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


@pytest.mark.parametrize("where", ["tls", "tls/host[a.test]"])
def test_a_certificate_and_its_key_are_set_and_replaced_in_one_change(
    office: Office, tmp_path: Path, where: str
) -> None:
    for name in ("first", "second"):
        certificate, key = files(tmp_path, name, self_signed(("a.test",)))
        alone = refusal(office, "config set", path=f"{where}/certificate", value=[certificate])
        assert f"config set '{where}/certificate=FILE' '{where}/private-key=FILE'" in alone.text
        office.do("config set", path=f"{where}/certificate={certificate}", value=[f"{where}/private-key={key}"])
        assert office.do("config get", path=f"{where}/private-key").value == key


def test_several_settings_of_one_call_are_all_pairs_and_a_list_is_named_for_each_member(office: Office) -> None:
    office.do(
        "config set", path="relay/allow-from=192.0.2.1", value=["relay/allow-from=10.0.0.0/8", "smtp/hostname=a.test"]
    )
    assert office.do("config get", path="relay/allow-from").value == ("192.0.2.1/32", "10.0.0.0/8")
    for more in (["x"], ["smtp/hostname=b.test"], ["delivery/relay-password=secret"]):
        assert refusal(office, "config set", path="smtp/hostname=c.test", value=more).kind is Failure.USAGE
    assert office.do("config get", path="smtp/hostname").value == "a.test"


def test_a_mistake_about_tls_is_told_at_its_own_setting(office: Office, tmp_path: Path) -> None:
    certificate, key = files(tmp_path, "own", self_signed(("a.test",)))
    _, other = files(tmp_path, "other", self_signed(("b.test",)))
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("hello")
    office.do("config set", path=f"tls/certificate={certificate}", value=[f"tls/private-key={key}"])
    for path, value in (
        ("tls/ciphers", "RUBBISH"), ("tls/authorities", str(rubbish)), ("tls/certificate", str(rubbish)),
        ("tls/private-key", str(rubbish)), ("tls/private-key", other), ("tls/host[b.test]/certificate", str(rubbish)),
    ):  # fmt: skip
        error = refusal(office, "config set", path=path, value=[value])
        assert [fault.name for fault in error.fields] == [path]
        assert "_" not in error.text.replace(str(tmp_path), ""), error.text


def concerns(config: FileConfig) -> str:
    return "\n".join(map(str, config.concerns()))


def test_a_certificate_is_warned_of_near_its_end_after_it_and_before_its_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = files(tmp_path, "own", self_signed(("a.test",), days=90))
    path = tmp_path / "mailserver.cfg"
    path.write_text(
        f'<mailserver version="1.0"><tls><certificate>{certificate}</certificate><private-key>{key}</private-key></tls>'
        "</mailserver>"
    )
    config = FileConfig(path, MailServer)
    config.load()
    assert not concerns(config)
    now = time.time()
    for days, words in ((80, "expires in "), (100, "has expired on "), (-10, "is not valid before ")):
        moment = now + days * 86400
        monkeypatch.setattr(
            certificate_check, "time", SimpleNamespace(
                time=lambda moment=moment: moment, strftime=time.strftime, gmtime=time.gmtime, strptime=time.strptime
            )
        )  # fmt: skip
        assert f"tls/certificate: the certificate {words}" in concerns(config)


def test_a_certificate_whose_issuer_is_missing_is_warned_of_and_one_with_its_chain_is_not(
    office: Office, tmp_path: Path
) -> None:
    authority = make_authority("Test Intermediate")
    certificate, key = files(tmp_path, "own", sign(authority, ("a.test",)))
    warnings: list[str] = []
    pair = {"path": f"tls/certificate={certificate}", "value": [f"tls/private-key={key}"]}
    office.do("config set", {"warnings": warnings}, **pair)
    assert "the certificate of the issuer Test Intermediate is missing" in " ".join(warnings)
    assert any("Test Intermediate" in row.text for row in office.do("status").attention)
    Path(certificate).write_bytes(Path(certificate).read_bytes() + authority.certificate)
    assert not any("Test Intermediate" in row.text for row in office.do("status").attention)


@pytest.mark.parametrize(
    ("mode", "folder", "barred"),
    [(0o600, 0o755, True), (0o644, 0o755, False), (0o644, 0o700, True), (0o640, 0o711, False)],
)
def test_a_file_is_looked_at_as_the_user_of_the_server(mode: int, folder: int, barred: bool) -> None:
    with tempfile.TemporaryDirectory() as inner:
        file = Path(inner, "key.pem")
        file.write_text("")
        file.chmod(mode)
        Path(inner).chmod(folder)
        groups = frozenset({file.stat().st_gid}) if mode == 0o640 else frozenset({65533})
        said = run_as._barred(str(file), 65533, groups)
        assert (said in (str(file), inner)) if barred else not said
        assert not run_as._barred(str(file), file.stat().st_uid, groups)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("store/keep-deleted", "30", "write 30d or 30s"), ("delivery/retry-after", "5", "write 5m or 5s"),
        ("delivery/connect-timeout", "5", "write 5m or 5s"), ("smtp/max-message-size", "50", "write 50M or 50B"),
    ],
)  # fmt: skip
def test_a_small_number_without_a_unit_is_refused_where_it_is_typed(
    tmp_path: Path, path: str, value: str, words: str
) -> None:
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    with pytest.raises(ConfigError, match=words):
        config.check({path: value})


def test_a_unit_zero_or_a_large_number_is_taken_and_so_is_a_file_that_says_it_bare(
    office: Office, tmp_path: Path
) -> None:
    for path, value in (("store/keep-deleted", "0"), ("store/keep-deleted", "30d"), ("delivery/connect-timeout", "90"),
                        ("smtp/max-message-size", "10485760")):  # fmt: skip
        office.do("config set", path=path, value=[value])
    assert "write 5M" in refusal(office, "domain set", name="example.org", quota="5").text
    assert "such as 30d" in refusal(office, "domain set", name="example.org", keep_deleted="30").text
    assert "write 5M" in refusal(office, "user set", name="alice", quota="5").text
    path = tmp_path / "mailserver.cfg"
    path.write_text('<mailserver version="1.0"><store><keep-deleted>30</keep-deleted></store></mailserver>')
    config = FileConfig(path, MailServer)
    config.load()
    assert config.get("store/keep-deleted") == "30s"


@pytest.mark.parametrize("networks", [("0.0.0.0/9",), ("8.0.0.0/15",), ("8.1.0.0/16", "8.2.0.0/16"),
                                      ("2600::/31",)])  # fmt: skip
def test_a_wide_public_network_needs_the_words_also_by_undo_and_reload(
    office: Office, networks: tuple[str, ...]
) -> None:
    change = {"path": "relay/allow-from", "value": list(networks)}
    assert refusal(office, "config set", **change).confirm == "open relay"
    words: dict[str, object] = {"confirmed": "open relay"}
    office.do("config set", dict(words), **change)
    dangerous = office.settings
    office.do("config unset", path=["relay/allow-from"])
    assert refusal(office, "config undo").confirm == "open relay"
    assert office.do("config get", path="relay/allow-from").value == ()
    ctx = office.context()
    same = {name: getattr(ctx, name) for name in ("config", "editor", "files", "directory")}
    (office.folder / "mailserver.cfg").write_text(dangerous)
    with pytest.raises(CallError) as caught:
        office.do("config reload", same)
    assert caught.value.confirm == "open relay"
    office.do("config reload", same | words)
    assert office.do("config get", path="relay/allow-from").value


def test_networks_that_touch_are_one_and_those_of_ones_own_are_none() -> None:
    assert widest(("8.1.0.0/16", "8.2.0.0/16", "9.0.0.0/24")) == (2 << 16, 0)
    assert widest(("10.0.0.0/8", "100.64.0.0/10", "fc00::/7")) == (0, 0)
    assert widest(("8.0.0.0/16", "8.0.1.0/24", "8.2.0.0/16")) == (1 << 16, 0)


def test_a_mapped_network_is_one_of_ipv4() -> None:
    assert Network("::ffff:192.0.2.0/120") == "192.0.2.0/24"
    assert contains((Network("::ffff:192.0.2.7"),), "192.0.2.7")
    assert Network("::/0") == "::/0"
    with pytest.raises(ValueError, match=r"stands for 0\.0\.0\.0/0"):
        Network("::ffff:0:0/96")


def test_a_member_is_removed_as_it_was_added(office: Office) -> None:
    path = "relay/allow-from"
    for _ in range(2):
        office.do("config add", path=path, value=["127.0.0.1"])
    assert office.do("config get", path=path).value == ("127.0.0.1/32",)
    office.do("config remove", path=path, value=["127.0.0.1"])
    assert office.do("config get", path=path).value == ()


@pytest.mark.parametrize("host", ["[1.2.3.4]:99999", "a.test:0", "a_b..test", "1.2.3", "[2001:db8::g]:25", "-a.test"])
def test_a_relay_host_that_can_be_none_is_refused(office: Office, host: str) -> None:
    assert refusal(office, "config set", path="delivery/relay-host", value=[host]).kind is Failure.REFUSED
    assert refusal(office, "config set", path="delivery/route[b.test]/host", value=[host]).kind is Failure.REFUSED


@pytest.mark.parametrize("host", ["a.test", "a.test:587 [2001:db8::1]:26", "192.0.2.1", "relay", "fe80::1%eth0", ""])
def test_a_relay_host_is_a_name_or_an_address(office: Office, host: str) -> None:
    office.do("config set", path="delivery/relay-host", value=[host])


def test_a_level_of_the_debug_log_makes_no_former_version(office: Office) -> None:
    office.do("config set", path="smtp/hostname", value=["a.test"])
    before = [row.number for row in office.do("config history").items]
    for _ in range(3):
        office.do("log level", category=["smtp"])
        office.do("log level", off=True)
    assert [row.number for row in office.do("config history").items] == before
