"""Each step: what its checks say of a machine, and what its values become in the new installation."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.services.setup.fake import GB, FakeMachine
from whimbrel.app.setup.writing import STEPS
from whimbrel.core.config import ConfigError
from whimbrel.services.setup import looking
from whimbrel.services.setup.field import Kind, Values
from whimbrel.services.setup.machine import Clock, Dialogue, Disk, PairLook
from whimbrel.services.setup.reading import Reading, read
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

GOOD: dict[str, Any] = {
    "hostname": "mail.example.org",
    "domain": "example.org",
    "administrator": {"name": "admin", "password": "four words that fit"},
}


def reading(tree: dict[str, Any] | None = None, machine: FakeMachine | None = None) -> Reading:
    return read(STEPS, {**GOOD, **(tree or {})}, machine or FakeMachine())


def findings(
    step: str, check: str, tree: dict[str, Any] | None = None, machine: FakeMachine | None = None
) -> Sequence[Finding]:
    wanted = next(each for each in STEPS if each.name == step)
    machine = machine or FakeMachine()
    results = looking.look(wanted, reading(tree, machine).values, machine, demanded=check)
    assert [result.check.name for result in results] == [check]
    return results[0].findings


def test_a_good_machine_is_green_but_for_what_nobody_asked() -> None:
    levels = {
        result.check.name: {finding.level for finding in result.findings}
        for step in STEPS
        for result in looking.look(step, reading().values, FakeMachine())
    }
    assert {name for name, each in levels.items() if each - {Level.OK}} == {"port-25", "pair"}
    assert levels["port-25"] == levels["pair"] == {Level.UNKNOWN}


@pytest.mark.parametrize(
    ("step", "check", "machine", "words"),
    [
        ("surroundings", "dns", FakeMachine(dns="no answer"), "DNS does not work: no answer"),
        ("surroundings", "clock", FakeMachine(time=Clock(synchronised=False)), "Nothing keeps the clock"),
        ("surroundings", "clock", FakeMachine(time=Clock(True, 60.0)), "Nothing keeps the clock"),
        ("surroundings", "memory", FakeMachine(available=100 << 20), "100 MB of 8192 MB"),
        ("names", "resolves", FakeMachine(names={}), "has no address yet: Name or service not known"),
        ("names", "resolves", FakeMachine(ours=()), "resolves to this machine: no, to 192.0.2.7"),
        (
            "storage",
            "disk",
            FakeMachine(room=Disk(90 * GB, 99 * GB, "fuse.sshfs", True, True)),
            "file system of a program",
        ),
        ("storage", "disk", FakeMachine(room=Disk(90 * GB, 99 * GB, "overlay", True, True)), "gone with the container"),
        (
            "storage",
            "disk",
            FakeMachine(room=Disk(90 * GB, 99 * GB, "ext4", True, True, "/srv/mial")),
            "/srv/mial is not there",
        ),
        ("storage", "disk", FakeMachine(room=Disk(GB, 2 * GB, "ext4", True, True)), "1.0 GB free of 2.0 GB"),
        ("storage", "disk", FakeMachine(room=Disk(90 * GB, 99 * GB, "ext4", False, True)), "cannot be written"),
        ("storage", "disk", FakeMachine(room=Disk(90 * GB, 99 * GB, "tmpfs", True, True)), "gone at the next start"),
        ("storage", "disk", FakeMachine(room=Disk(90 * GB, 99 * GB, "nfs4", True, True)), "does not keep locks"),
        ("storage", "scanners", FakeMachine(watching=("ESET (oaeventd, pid 7)",)), "ESET (oaeventd, pid 7) looks at"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(step: str, check: str, machine: FakeMachine, words: str) -> None:
    bad = [each for each in findings(step, check, machine=machine) if each.level is not Level.OK]
    assert any(words in each.text for each in bad), bad
    assert all(each.advice for each in bad)


def test_a_held_port_names_its_holder_and_offers_another_in_the_form_of_an_answer() -> None:
    machine = FakeMachine(held={25: "held by master (pid 812, unit postfix.service)"})
    first, rest = findings("surroundings", "ports", machine=machine)
    assert first.text == "smtp: *:25 is held by master (pid 812, unit postfix.service)."
    assert first.offer == {"smtp": {"listen": ["*:2025"]}}
    assert "imap 143" in rest.text
    assert "smtp" not in rest.text
    taken = findings("surroundings", "ports", {"services": first.offer}, machine)
    assert {each.level for each in taken} == {Level.OK}


def test_port_25_is_tried_against_the_host_that_was_named_and_no_other() -> None:
    assert findings("surroundings", "port-25")[0].level is Level.UNKNOWN
    closed = FakeMachine(dialogue=Dialogue((), "it does not answer in time"))
    finding = findings("surroundings", "port-25", {"port-25-host": "mx.example.net"}, closed)[0]
    assert finding.level is Level.WARNING
    assert "mx.example.net cannot be reached: it does not answer in time" in finding.text


@pytest.mark.parametrize(
    ("password", "weak"),
    [("admin2026xyz", True), ("k3-fh-7", True), ("473829184756", True), ("four words that fit", False),
     ("kV9x-2mQp-77tZ", False)],
)  # fmt: skip
def test_a_weak_password_that_may_be_set_is_said_to_be_weak(password: str, weak: bool) -> None:
    tree = {"administrator": {"name": "admin", "password": password}, "settings": {"security/password-min-length": "6"}}
    assert (findings("administrator", "strength", tree)[0].level is Level.WARNING) == weak
    assert reading(tree).answers().password.reveal() == password


def test_a_verifier_is_taken_as_it_is() -> None:
    read = reading(
        {"administrator": {"name": "admin", "password": "{SHA256}47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}
    )
    assert not read.faults


@pytest.mark.parametrize(
    ("name", "words"),
    [("mail", "has no domain"), ("192.0.2.1", "is an address"), ("[2001:db8::1]", "is an address"),
     ("2001:db8::1", "is an address"), ("a_b.example.org", "underscore"),
     ("https://mail.example.org/x", "without https"),
     ("mail.example.org:25", "is not a domain name"), ("999.1.1.1", "ends with 1"), ("a..b", "is not a domain name"),
     ("-a.example.org", "is not a domain name"), ("\ud800.example.org", "half a character"), ("", "must not be empty")],
)  # fmt: skip
def test_what_is_no_name_of_a_server_is_said_at_its_field(name: str, words: str) -> None:
    faults = reading({"hostname": name}).faults
    assert [fault.path for fault in faults] == ["hostname"]
    assert words in faults[0].text


def test_names_in_other_scripts_are_taken() -> None:
    read = reading(
        {"hostname": "mail.bücher.example", "administrator": {"name": "Łukasz", "password": "four words that fit"}}
    )
    assert (read.answers().hostname, read.answers().administrator) == ("mail.xn--bcher-kva.example", "Łukasz")


@pytest.mark.parametrize(
    ("domain", "words"),
    [("admin@example.org", "is an address"), ("192.0.2.1", "is an address"), ("foo.123", "ends with 123"),
     ("http://example.org", "without http://")],
)  # fmt: skip
def test_what_is_no_domain_of_mail_is_said_at_its_field(domain: str, words: str) -> None:
    faults = reading({"domain": domain}).faults
    assert [fault.path for fault in faults] == ["domain"]
    assert words in faults[0].text


def test_what_the_machine_has_against_an_answer_stands_at_its_field() -> None:
    machine = FakeMachine(root=True, claimed="/x is not empty")
    faults = {fault.path: fault.text for fault in reading({"run-as": "root", "store": "/x"}, machine).faults}
    assert faults["store"] == "/x is not empty"
    assert "may do everything" in faults["run-as"]


def test_nobody_is_made_twice() -> None:
    faults = reading(
        {"names": ["Admin", "bob", "BOB", "eve@other.example"], "users": "address,password\nbob@example.org,xyz\n"}
    ).faults
    assert [(fault.path, fault.text) for fault in faults] == [
        ("names", "name 1: Admin@example.org is the administrator already"),
        ("names", "name 2: bob@example.org stands at line 2 already"),
        ("names", "name 3: BOB@example.org stands at line 2 already"),
    ]


def test_a_relay_that_is_signed_in_to_needs_a_password_and_a_name_alone() -> None:
    relay = {"mode": "relay", "host": "smtp.example.net:587", "user": "me"}
    assert [fault.path for fault in reading({"outgoing": relay}).faults] == ["outgoing.host"]
    faults = reading({"outgoing": {**relay, "host": "[2001:db8::25]"}}).faults
    assert [(fault.path, "is missing" in fault.text) for fault in faults] == [("outgoing.password", True)]


@pytest.mark.parametrize(
    ("password", "words"),
    [("a", "at least 8"), ("Password123!", "most common"), ("postmaster", "name"), ("example99999", "name"),
     ("aaaaaaaaaaaaaa", "one character"), ("{CRYPT}*", "begins with")],
)  # fmt: skip
def test_a_password_that_may_not_be_set_is_refused_at_its_field(password: str, words: str) -> None:
    made = reading({"administrator": {"name": "postmaster", "password": password}})
    assert [fault.path for fault in made.faults] == ["administrator.password"]
    assert words in made.faults[0].text


def test_the_wizard_asks_the_policy_of_the_new_installation_also_of_a_table() -> None:
    tree = {"users": "address,password\ncarol,k3fh7pwm\nbob@other.test,other.test\n"}
    assert [fault.text for fault in reading(tree).faults] == [
        "line 3: password: must not be the name, the address or the domain of the user"
    ]
    longer = reading({**tree, "settings": {"security/password-min-length": "12"}}).faults
    assert "line 2: password: must have at least 12 characters; this one has 8" in [fault.text for fault in longer]


def test_a_relay_is_tried_only_on_demand_and_its_dialogue_is_shown() -> None:
    relay = {"mode": "relay", "host": "smtp.example.net", "user": "me", "password": "p"}
    machine = FakeMachine(dialogue=Dialogue(("S: 535 no",), "it answers 535 no"))
    step = next(each for each in STEPS if each.name == "outgoing")
    values = reading({"outgoing": relay}).values
    assert looking.look(step, values, machine) == []
    assert machine.relays == []
    finding = findings("outgoing", "relay", {"outgoing": relay}, machine)[0]
    assert (finding.level, finding.lines) == (Level.ERROR, ("S: 535 no",))
    tried = machine.relays[0]
    assert (tried.host, tried.port, tried.tls) == ("smtp.example.net", 587, "verified")


def test_a_certificate_that_was_given_is_looked_at() -> None:
    tree = {"certificate": {"source": "import", "chain": "PEM"}}
    assert "until 18 May 2033" in findings("certificate", "pair", tree)[0].text
    other = FakeMachine(pair=PairLook(("other.example",), 2e9))
    assert "not for mail.example.org, but for other.example" in findings("certificate", "pair", tree, other)[0].text
    wild = FakeMachine(pair=PairLook(("*.example.org",), 2e9))
    assert findings("certificate", "pair", tree, wild)[0].level is Level.OK
    bad = FakeMachine(pair=PairLook(faults=("the private key does not belong to the certificate",)))
    assert findings("certificate", "pair", tree, bad)[0].level is Level.ERROR


def test_the_values_become_settings_and_people() -> None:
    answers = reading(
        {
            "language": "de",
            "outgoing": {"mode": "relay", "host": "smtp.example.net", "port": "465", "tls": "implicit", "user": "me",
                         "password": "secret"},
            "names": ["anna", "Bob Brown <bob>"],
            "users": "address,password\ncarol,four words that fit\n",
            "certificate": {"source": "import", "chain": "CHAIN", "key": "KEY"},
            "settings": {"smtp/max-message-size": "80M"},
        }
    ).answers()  # fmt: skip
    assert answers.settings == {
        "reports/language": "de", "folders/language": "de", "delivery/relay-host": "smtp.example.net",
        "delivery/relay-port": "465", "delivery/relay-tls": "implicit", "delivery/relay-user": "me",
        "delivery/relay-password": "secret", "smtp/max-message-size": "80M",
    }  # fmt: skip
    people = [(line.address, line.full_name) for line in answers.users]
    assert people == [("carol", ""), ("anna", ""), ("bob", "Bob Brown")]
    assert set(answers.made) == {"anna", "bob"}
    assert answers.made["anna"] == answers.users[1].password != answers.made["bob"]
    assert answers.certificate is not None
    assert (answers.certificate.certificate, answers.certificate.key) == (b"CHAIN", b"KEY")
    assert "secret" not in repr(answers)
    assert "KEY" not in repr(answers)


def test_a_table_makes_administrators_only_with_the_words() -> None:
    table = {"users": "address,rights\ncarol,server-write\ndave,none\n"}
    asked = reading(table)
    assert asked.confirm == "make 1 administrator"
    with pytest.raises(ConfigError, match="line 2: carol becomes server-write"):
        asked.answers()
    assert len(reading({**table, "confirm": "make 1 administrator"}).answers().users) == 2


def test_faults_stand_at_their_fields_and_all_in_one_round() -> None:
    bad = reading(
        {
            "hostname": 5, "domain": "a b", "administrator": "x", "language": "xx", "names": ["a/b", "", 7],
            "certificate": {"source": "import", "chian": "x"}, "outgoing": {"mode": "relay", "port": "70000"},
            "services": {"smtp": {"listen": "*:25"}}, "x" * 5000: 1, "users": "address,rights\ncarol,root\n",
        }
    )  # fmt: skip
    paths = {fault.path.partition("xxxx")[0] for fault in bad.faults}
    assert paths == {
        "hostname", "domain", "administrator", "language", "names", "certificate.chian", "certificate.chain",
        "outgoing.host", "outgoing.port", "services.smtp.listen", "", "users",
    }  # fmt: skip
    names = next(step for step in STEPS if step.name == "names")
    assert {fault.path for fault in bad.of(names)} == {"hostname", "domain"}


def test_the_machine_proposes_but_only_a_person_accepts() -> None:
    hostname, domain = (field for step in STEPS for field in step.fields if field.name in ("hostname", "domain"))
    machine = FakeMachine()
    assert hostname.described(machine, Values())["default"] == "mail.example.org"
    assert domain.described(machine, Values(hostname="mail.example.org"))["default"] == "example.org"
    assert hostname.described(replace(machine, name="not a name"), Values())["required"]
    assert {fault.path for fault in read(STEPS, {}, machine).faults} == {"hostname", "domain", "administrator.password"}


def test_root_alone_is_asked_for_whom_the_server_runs_as() -> None:
    field = next(field for step in STEPS for field in step.fields if field.name == "run-as")
    assert field.applies(Values(), FakeMachine(root=True))
    assert not field.applies(Values(), FakeMachine())
    machine = FakeMachine(root=True)
    assert reading({"run-as": "whimbrel"}, machine).answers().settings["server/run-as"] == "whimbrel"
    assert [fault.path for fault in reading({"run-as": "nobody-here"}, machine).faults] == ["run-as"]


def test_every_field_can_be_drawn_and_has_words_for_people() -> None:
    names = [field.name for step in STEPS for field in step.fields]
    assert len(names) == len(set(names))
    for step in STEPS:
        assert step.title and step.help
        for field in step.fields:
            assert field.title and field.help.endswith(".")
            assert (field.kind is Kind.CHOICE) == bool(field.choices)
            described = field.described(FakeMachine(), Values())
            assert described["required"] == (described["default"] is None)


def test_the_review_says_all_in_words_without_secrets() -> None:
    values = reading({"outgoing": {"mode": "relay", "host": "r.example", "user": "u", "password": "s3cret"}}).values
    text = "\n".join(words for step in STEPS for words in step.words(values))
    assert "admin@example.org administers the server." in text
    assert "r.example:587, signed in as u" in text
    assert "s3cret" not in text
    assert "four words" not in text


def test_a_check_that_never_ends_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "WITHIN", 0.05)
    end = threading.Event()

    def never(_values: Values, _machine: object) -> list[Finding]:
        end.wait()
        return []

    step = Step("x", "X", "x", (), (Check("slow", "Slow", never), Check("quick", "Quick", lambda v, m: [ok("yes")])))
    slow, quick = looking.look(step, Values(), FakeMachine())
    end.set()
    assert (slow.findings[0].level, quick.findings[0].text) == (Level.UNKNOWN, "yes")
