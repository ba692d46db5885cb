"""Each check says how it is, what is so and what mends it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fakes import MemoryLog
from tests.unit.services.health.ward import GB, HOST, PUBLIC, Ward, job, lane
from whimbrel.core.errors import MailError
from whimbrel.core.settings import Concern, Gravity
from whimbrel.core.values import Duration
from whimbrel.flow.judging.health import Health
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.ports import Listening, Process
from whimbrel.services.health.check import Certificate, ClockState, Disk, Level, Memory, QueueFiles, Scanner, StoreLook
from whimbrel.services.health.checks import CHECKS, configuration, machine, names, outgoing, store, waiting, work
from whimbrel.services.health.settings import HealthSettings

DAY = 86_400.0
DEAD = MailError(451, "4.4.3", "failed", detail="example.org: no answer in time")


@pytest.fixture
def ward() -> Ward:
    return Ward()


def test_a_server_in_order_has_no_check_that_complains(ward: Ward) -> None:
    ward.machine.shown = [Certificate("tls/certificate", "/c.pem", (HOST,), ward.clock.now() + 90 * DAY)]
    said = {check.name: ward.look(check) for check in CHECKS}
    assert {name for name, verdict in said.items() if verdict.level is not Level.OK} == {"port-25"}
    assert said["port-25"].level is Level.UNKNOWN


def test_what_needs_a_server_is_unknown_without_one(ward: Ward) -> None:
    said = {check.name: ward.look(check, live=False).level for check in CHECKS}
    assert {name for name, level in said.items() if level is Level.UNKNOWN} >= {"queue", "filters", "jobs", "mx"}
    assert said["services"] is said["disk"] is said["configuration"] is Level.OK


def test_a_check_that_complains_says_what_to_do(ward: Ward) -> None:
    ward.machine.disk_now = Disk("/srv", GB, 100 * GB, 2 * GB, "full")
    ward.machine.clocked = ClockState(False, 16.0)
    ward.names.records.clear()
    for check in CHECKS:
        verdict = ward.look(check)
        if verdict.level in (Level.WARNING, Level.ERROR):
            assert verdict.advice, check.name
            assert verdict.command or check.command, check.name


# Services


def test_a_refused_port_is_red_and_names_who_holds_it(ward: Ward) -> None:
    ward.now = replace(ward.now, listening=(Listening("smtp", (), ("*:25: the port is held by exim (pid 7)",)),))
    verdict = ward.look(work.SERVICES)
    assert verdict.level is Level.ERROR
    assert "smtp cannot listen at *:25: the port is held by exim (pid 7)" in verdict.text


def test_a_service_that_an_administrator_stopped_is_a_warning_with_the_command(ward: Ward) -> None:
    ward.now = replace(ward.now, listening=(Listening("pop3", (), (), override=False),))
    verdict = ward.look(work.SERVICES)
    assert (verdict.level, verdict.command) == (Level.WARNING, "whimbrel service start pop3")


def test_without_a_server_its_ports_are_looked_at(ward: Ward) -> None:
    ward.machine.holders = {25: "master (pid 812, unit postfix.service)"}
    verdict = ward.look(work.SERVICES, live=False)
    assert verdict.level is Level.ERROR
    assert "smtp cannot listen at *:25: the port is held by master (pid 812, unit postfix.service)" in verdict.text


# Names


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ({("MX", "example.org"): DEAD}, Level.ERROR, "no answer in time"),
        ({("MX", "example.org"): None}, Level.OK, "answer"),
    ],
)
def test_name_servers_that_do_not_answer_are_red(ward: Ward, records: Any, level: Level, words: str) -> None:
    ward.names.records |= records
    verdict = ward.look(names.RESOLVER)
    assert verdict.level is level
    assert words in verdict.text


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ({("A", HOST): None}, Level.ERROR, "has no address"),
        ({("A", HOST): ["198.51.100.7"]}, Level.WARNING, "198.51.100.7, which is no address of this machine"),
        ({}, Level.OK, PUBLIC),
    ],
)
def test_our_name_leads_here(ward: Ward, records: Any, level: Level, words: str) -> None:
    ward.names.records |= records
    verdict = ward.look(names.HOSTNAME)
    assert verdict.level is level
    assert words in verdict.text


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ({("MX", "example.org"): ["."]}, Level.ERROR, "null MX"),
        ({("MX", "example.org"): [], ("A", "example.org"): None}, Level.ERROR, "neither an MX record nor an address"),
        (
            {("MX", "example.org"): ["mx.other.net"], ("A", "mx.other.net"): ["192.0.2.1"]},
            Level.WARNING,
            "mx.other.net",
        ),
        ({("MX", "example.org"): ["mx.other.net"], ("A", "mx.other.net"): [PUBLIC]}, Level.OK, "1 domain"),
        ({("MX", "example.org"): [], ("A", "example.org"): [PUBLIC]}, Level.OK, "1 domain"),
        ({}, Level.OK, "1 domain"),
    ],
)
def test_mail_for_each_domain_is_led_here(ward: Ward, records: Any, level: Level, words: str) -> None:
    ward.names.records |= records
    verdict = ward.look(names.MX)
    assert verdict.level is level
    assert words in verdict.text


def test_a_domain_that_does_not_exist_is_red_and_the_worst_decides() -> None:
    ward = Ward(domains=("example.org", "gone.net"))
    ward.names.records["MX", "example.org"] = ["mx.other.net"]
    verdict = ward.look(names.MX)
    assert verdict.level is Level.ERROR
    assert "gone.net does not exist in DNS" in verdict.text
    assert "example.org" in verdict.text


def test_names_for_trials_are_asked_of_nobody() -> None:
    ward = Ward(SmtpSettings(), domains=("example.test",))  # localhost
    for check in (names.HOSTNAME, names.MX, names.REVERSE):
        assert ward.look(check, resolver=None).level is Level.UNKNOWN
        assert "trials" in ward.look(check).text


@pytest.mark.parametrize(
    ("name", "level", "words"), [(None, Level.WARNING, "has no name"), (["x.isp.net"], Level.WARNING, "x.isp.net")]
)
def test_our_address_has_our_name(ward: Ward, name: Any, level: Level, words: str) -> None:
    ward.names.records["PTR", PUBLIC] = name
    verdict = ward.look(names.REVERSE)
    assert verdict.level is level
    assert words in verdict.text


# Outgoing port 25


class Wire:
    """A Connector to a server that says `banner`, or cannot be reached."""

    def __init__(self, banner: bytes | OSError) -> None:
        self.banner, self.called = banner, list[tuple[str, int]]()

    async def open(self, host: str, port: int, source: str, tls: object) -> "Wire":
        self.called.append((host, port))
        return self

    async def read(self) -> bytes:
        if isinstance(self.banner, OSError):
            raise self.banner
        return self.banner

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    ("banner", "level"),
    [
        (b"220 mx.example.net ESMTP\r\n", Level.OK),
        (b"HTTP/1.1 400 Bad Request\r\n", Level.WARNING),
        (ConnectionRefusedError("Connection refused"), Level.ERROR),
        (TimeoutError("timed out"), Level.ERROR),
    ],
)
def test_a_server_that_was_set_is_called_at_port_25(banner: bytes | OSError, level: Level) -> None:
    ward, wire = Ward(HealthSettings(port_25_host="mx.example.net")), Wire(banner)
    assert ward.look(outgoing.PORT_25, connector=wire).level is level
    assert wire.called == [("mx.example.net", 25)]


def test_nobody_is_called_unless_a_server_is_set(ward: Ward) -> None:
    wire = Wire(b"220 x\r\n")
    assert ward.look(outgoing.PORT_25, connector=wire).level is Level.UNKNOWN
    assert wire.called == []


@pytest.mark.parametrize(
    ("text", "place"),
    [("[2001:db8::1]:2525", ("2001:db8::1", 2525)), ("2001:db8::1", ("2001:db8::1", 25)), ("mx:26", ("mx", 26))],
)
def test_the_server_to_call_may_have_a_port(text: str, place: tuple[str, int]) -> None:
    wire = Wire(b"220 x\r\n")
    Ward(HealthSettings(port_25_host=text)).look(outgoing.PORT_25, connector=wire)
    assert wire.called == [place]


# The machine


@pytest.mark.parametrize(("word", "level"), [("low", Level.WARNING), ("full", Level.ERROR), ("read-only", Level.ERROR)])
def test_a_disk_with_little_room(ward: Ward, word: str, level: Level) -> None:
    ward.machine.disk_now = Disk("/srv/store", GB, 100 * GB, GB, word)
    assert ward.look(machine.DISK).level is level


def test_a_disk_that_fills_is_told_in_days_before_it_is_low(ward: Ward) -> None:
    for hour in range(48):
        ward.machine.disk_now = replace(ward.machine.disk_now, free=(50 - hour // 2) * GB)
        verdict = ward.look(machine.DISK)
        ward.clock.forward(3600)
    assert verdict.level is Level.WARNING
    assert "it is full in 2 days" in verdict.text


def test_a_disk_that_fills_slowly_or_for_a_few_hours_is_in_order(ward: Ward) -> None:
    for _ in range(3):
        ward.machine.disk_now = replace(ward.machine.disk_now, free=ward.machine.disk_now.free - GB)
        verdict = ward.look(machine.DISK)
        ward.clock.forward(3600)
    assert verdict.level is Level.OK
    assert "full in" not in verdict.text


@pytest.mark.parametrize(
    ("available", "level"), [(4 * GB, Level.OK), (GB // 4, Level.WARNING), (GB // 10, Level.ERROR)]
)
def test_memory_that_is_short(ward: Ward, available: int, level: Level) -> None:
    ward.machine.memory_now = Memory(8 * GB, available)
    assert ward.look(machine.MEMORY).level is level


def test_a_process_with_too_much_memory_is_named(ward: Ward) -> None:
    ward.now = replace(ward.now, processes=(Process("mail/3", 9, 2 * GB),))
    verdict = ward.look(machine.MEMORY)
    assert verdict.level is Level.WARNING
    assert "mail/3 (2.0 GB)" in verdict.text


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (ClockState(True, 0.02), Level.OK),
        (ClockState(True, 9.0), Level.WARNING),
        (ClockState(False, 0.0), Level.WARNING),
    ],
)
def test_the_clock_is_kept_in_time(ward: Ward, state: ClockState, level: Level) -> None:
    ward.machine.clocked = state
    assert ward.look(machine.CLOCK).level is level


@pytest.mark.parametrize(
    ("shown", "level", "words"),
    [
        ({}, Level.OK, "89 days"),
        ({"names": ("*.example.org",)}, Level.OK, "89 days"),
        ({"ends": 5 * DAY}, Level.WARNING, "ends in 4 days"),
        ({"ends": -DAY}, Level.ERROR, "ended 1 day ago"),
        ({"fault": "Permission denied"}, Level.ERROR, "/c.pem: Permission denied"),
    ],
)
def test_a_certificate_near_its_end(ward: Ward, shown: dict[str, Any], level: Level, words: str) -> None:
    values = {"names": (HOST,), "ends": 90 * DAY} | shown
    values["ends"] += ward.clock.now() - (1 if values["ends"] > 0 else 0)
    ward.machine.shown = [Certificate("tls/certificate", "/c.pem", **values)]
    verdict = ward.look(machine.CERTIFICATES)
    assert verdict.level is level
    assert words in verdict.text


@pytest.mark.parametrize(
    ("shown", "level", "words"),
    [
        ({}, Level.OK, HOST),
        ({"names": ("*.example.org",)}, Level.OK, HOST),
        ({"names": ("other.example.org",)}, Level.WARNING, f"not for {HOST}"),
        ({"self_signed": True}, Level.WARNING, "self-signed"),
    ],
)
def test_a_certificate_for_another_name(ward: Ward, shown: dict[str, Any], level: Level, words: str) -> None:
    values: dict[str, Any] = {"names": (HOST,), "ends": ward.clock.now() + 90 * DAY} | shown
    ward.machine.shown = [Certificate("tls/certificate", "/c.pem", **values)]
    verdict = ward.look(machine.CERTIFICATE_NAMES)
    assert verdict.level is level
    assert words in verdict.text


# The store


def test_folders_without_index_or_backup_are_named(ward: Ward) -> None:
    ward.machine.folders = StoreLook(900, ("anna@example.org/INBOX",), ("bob@example.org/Sent",), complete=True)
    for check, folder in ((store.STORE, "anna@example.org/INBOX"), (store.FLAG_BACKUPS, "bob@example.org/Sent")):
        verdict = ward.look(check)
        assert verdict.level is Level.WARNING
        assert folder in verdict.text


def test_a_self_check_that_failed_or_does_not_run(ward: Ward) -> None:
    ward.jobs = [job("self-check", last=ward.clock.now(), result="disk full", failed=True)]
    assert ward.look(store.STORE).level is Level.ERROR
    ward.jobs = [job("self-check", last=ward.clock.now() - 3 * DAY, result="9 folders were checked")]
    assert ward.look(store.STORE).level is Level.WARNING


def test_a_scanner_that_looks_at_the_store_is_named_with_what_to_exclude(ward: Ward) -> None:
    ward.machine.scanning = [Scanner("ClamAV on access", "clamonacc", 77, watches=True)]
    verdict = ward.look(store.SCANNERS)
    assert verdict.level is Level.WARNING
    assert "clamonacc, pid 77" in verdict.text
    assert "/srv/store" in verdict.advice


# Queue, filters, jobs, configuration


def test_old_mail_in_the_queue_is_a_warning_and_red_if_nothing_leaves(ward: Ward) -> None:
    old, young = ward.clock.now() - 6 * 3600, ward.clock.now() - 60
    ward.queue.lanes_now = [lane("x.test", 3, young)]
    assert ward.look(waiting.QUEUE).level is Level.OK
    ward.queue.lanes_now = [lane("x.test", 30, old, "4.4.1 timed out"), lane("y.test", 1, young)]
    verdict = ward.look(waiting.QUEUE)
    assert verdict.level is Level.WARNING
    assert "x.test (30): 4.4.1 timed out" in verdict.text
    assert "the oldest for 6 hours" in verdict.text
    ward.queue.lanes_now = [lane(f"{n}.test", 9, old, "4.4.1 timed out") for n in range(5)]
    assert ward.look(waiting.QUEUE).level is Level.ERROR


def test_accepted_mail_whose_entry_was_lost_is_red_with_its_ids(ward: Ward) -> None:
    assert ward.look(waiting.OWNERLESS).level is Level.OK
    ward.queue.ids, ward.queue.held = frozenset({"a-1"}), 1
    ward.machine.queue_files = QueueFiles(("a-1",), ())
    assert ward.look(waiting.OWNERLESS).level is Level.OK
    ward.machine.queue_files = QueueFiles(("a-1", "a-2", "a-3"), ("a-0",))
    verdict = ward.look(waiting.OWNERLESS)
    assert verdict.level is Level.ERROR and "a-2, a-3" in verdict.text and "a-1" not in verdict.text
    ward.machine.queue_files = QueueFiles(("a-1",), tuple(f"b-{n}" for n in range(12)))
    verdict = ward.look(waiting.OWNERLESS)
    assert verdict.level is Level.WARNING and "12 accepted messages" in verdict.text
    assert "b-0" in verdict.text and "and 2 more" in verdict.text


def test_a_store_whose_mount_is_gone_is_red(ward: Ward) -> None:
    ward.machine.folders = StoreLook(0, (), (), complete=True, gone="/srv/store")
    verdict = ward.look(store.STORE)
    assert verdict.level is Level.ERROR and "/srv/store" in verdict.text
    assert ward.look(store.FLAG_BACKUPS).level is Level.UNKNOWN


def test_from_when_on_mail_is_old_is_a_setting() -> None:
    ward = Ward(HealthSettings(queue_age=Duration("12h")))
    ward.queue.lanes_now = [lane("x.test", 30, ward.clock.now() - 6 * 3600, "4.4.1 timed out")]
    assert ward.look(waiting.QUEUE).level is Level.OK


def test_a_filter_that_is_down_is_red_until_it_answers(ward: Ward) -> None:
    health = Health(ward.state, ward.clock, MemoryLog())
    asyncio.run(health.failed("dnsbl", "timed out after 5 s"))
    verdict = ward.look(work.FILTERS)
    assert verdict.level is Level.ERROR
    assert "timed out after 5 s" in verdict.text
    asyncio.run(health.well("dnsbl"))
    assert ward.look(work.FILTERS).level is Level.OK


def test_a_job_that_failed_is_a_warning(ward: Ward) -> None:
    ward.jobs = [job("purge", result="no room", failed=True)]
    verdict = ward.look(work.JOBS)
    assert (verdict.level, "purge: no room" in verdict.text) == (Level.WARNING, True)


def test_an_edit_outside_and_settings_that_contradict_each_other(ward: Ward) -> None:
    ward.edited = ["mailserver.cfg"]
    assert ward.look(configuration.EDITS).level is Level.WARNING
    ward.edited = []
    assert ward.look(configuration.EDITS).level is Level.OK
    for gravity, level in ((Gravity.WARNING, Level.WARNING), (Gravity.WRONG, Level.ERROR)):
        ward.concerns = [Concern("tls/private-key", "is of no use", gravity)]
        verdict = ward.look(configuration.CONFIGURATION)
        assert (verdict.level, "tls/private-key: is of no use" in verdict.text) == (level, True)
    ward.concerns, ward.forgets = [], "users.cfg holds no user"
    assert ward.look(configuration.CONFIGURATION).level is Level.ERROR
    ward.forgets, ward.settings_lost = "", "mailserver.cfg is missing"
    verdict = ward.look(configuration.CONFIGURATION)
    assert verdict.level is Level.ERROR and "Mailserver.cfg is missing" not in verdict.text
    assert "mailserver.cfg is missing" in verdict.text


def test_an_open_relay_is_red_and_no_matter_of_the_configuration(ward: Ward) -> None:
    ward.concerns = [Concern("relay/allow-from", "this is an open relay", Gravity.DANGER, "open relay")]
    assert ward.look(configuration.OPEN_RELAY).level is Level.ERROR
    assert ward.look(configuration.CONFIGURATION).level is Level.OK
