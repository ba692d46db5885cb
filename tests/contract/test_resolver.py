"""The Resolver port, kept by every backend, on both event loops."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from tests.support.dns_server import DnsServer
from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from whimbrel.backends.dns.resolver import DnsResolver
from whimbrel.backends.dns.settings import DnsSettings
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, NoSuchName
from whimbrel.core.values import Duration, HostPort

Use = Callable[[DnsResolver], Awaitable[Any]]


class Bench:
    def __init__(self, dns: DnsServer, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.dns, self.clock, self.log, self._run = dns, FakeClock(), MemoryLog(), run
        self.config = FakeConfig(DnsSettings(server=(dns.address,), timeout=Duration("1s")))

    def run(self, use: Use, *, ipv6: bool = False, seed: bytes = b"seed") -> Any:
        async def main() -> Any:
            resolver = DnsResolver(self.config, self.clock, self.log, ipv6=lambda: ipv6, seed=seed)
            try:
                return await use(resolver)
            finally:
                await resolver.close()

        return self._run(main())


@pytest.fixture(params=["asyncio", "uvloop"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with DnsServer() as dns:
        yield Bench(dns, asyncio.run if request.param == "asyncio" else uvloop.run)


def test_mx_come_by_preference(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "20 b.example.test.", "10 A.example.test.", "30 c.example.test.")
    assert bench.run(lambda r: r.mx("Example.test")) == [
        Mx(10, "a.example.test"), Mx(20, "b.example.test"), Mx(30, "c.example.test")]  # fmt: skip


def test_equal_mx_are_shared_out_between_processes_and_stable_in_one(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", *(f"10 m{n}.test." for n in range(6)), "5 first.test.")
    orders = {seed: bench.run(lambda r: r.mx("example.test"), seed=seed) for seed in (b"1", b"2", b"3", b"4")}
    assert len({tuple(order) for order in orders.values()}) > 1
    assert all(order[0] == Mx(5, "first.test") and len(order) == 7 for order in orders.values())
    assert bench.run(lambda r: r.mx("example.test"), seed=b"1") == orders[b"1"]


def test_a_null_mx_is_told_as_such(bench: Bench) -> None:
    bench.dns.null_mx("nomail.test")
    bench.dns.add("odd.test", "MX", "0 .", "10 mail.odd.test.")
    assert bench.run(lambda r: r.mx("nomail.test")) == [Mx(0, ".")]
    assert bench.run(lambda r: r.mx("odd.test")) == [Mx(10, "mail.odd.test")]


def test_no_data_is_empty_and_no_name_is_no_such_name(bench: Bench) -> None:
    bench.dns.host("host.test", "192.0.2.1")
    assert bench.run(lambda r: r.mx("host.test")) == []
    assert bench.run(lambda r: r.txt("host.test")) == []
    for ask in ("mx", "addresses", "txt"):
        with pytest.raises(NoSuchName):
            bench.run(lambda r, ask=ask: getattr(r, ask)("nothere.test"))
    with pytest.raises(NoSuchName):
        bench.run(lambda r: r.reverse("192.0.2.99"))


@pytest.mark.parametrize("ask", ["mx", "addresses", "txt", "exists"])
def test_servfail_and_silence_are_451_4_4_3(bench: Bench, ask: str) -> None:
    bench.dns.servfail("broken.test")
    bench.dns.silent("silent.test")
    for name in ("broken.test", "silent.test"):
        with pytest.raises(MailError) as caught:
            bench.run(lambda r, name=name: getattr(r, ask)(name))
        assert (caught.value.code, caught.value.enhanced) == (451, "4.4.3")
        assert name not in caught.value.text


def test_addresses_of_both_families_come_in_the_order_to_try(bench: Bench) -> None:
    bench.dns.host("both.test", "192.0.2.1", "2001:db8::1")
    assert bench.run(lambda r: r.addresses("both.test"), ipv6=True) == ["2001:db8::1", "192.0.2.1"]
    assert bench.run(lambda r: r.addresses("both.test"), ipv6=False) == ["192.0.2.1", "2001:db8::1"]


def test_an_alias_is_followed_and_a_loop_of_aliases_is_not(bench: Bench) -> None:
    bench.dns.add("www.test", "CNAME", "host.test.")
    bench.dns.host("host.test", "192.0.2.1")
    bench.dns.add("a.test", "CNAME", "b.test.")
    bench.dns.add("b.test", "CNAME", "a.test.")
    assert bench.run(lambda r: r.addresses("www.test")) == ["192.0.2.1"]
    with pytest.raises((MailError, NoSuchName)):
        bench.run(lambda r: r.addresses("a.test"))


def test_a_literal_is_its_own_address(bench: Bench) -> None:
    assert bench.run(lambda r: r.addresses("192.0.2.7")) == ["192.0.2.7"]
    assert bench.run(lambda r: r.addresses("2001:DB8::7")) == ["2001:db8::7"]
    assert bench.dns.queries == []


def test_the_strings_of_a_txt_record_are_joined(bench: Bench) -> None:
    bench.dns.add("example.test", "TXT", '"v=spf1 " "-all"')
    assert bench.run(lambda r: r.txt("example.test")) == ["v=spf1 -all"]


def test_a_list_says_yes_by_an_address(bench: Bench) -> None:
    bench.dns.host("2.0.0.127.bl.test", "127.0.0.2")
    assert bench.run(lambda r: r.exists("2.0.0.127.bl.test")) is True
    assert bench.run(lambda r: r.exists("3.0.0.127.bl.test")) is False


def test_reverse_names_of_both_families(bench: Bench) -> None:
    bench.dns.pointer("192.0.2.1", "Mail.example.test")
    bench.dns.pointer("2001:db8::1", "six.example.test")
    assert bench.run(lambda r: r.reverse("192.0.2.1")) == ["mail.example.test"]
    assert bench.run(lambda r: r.reverse("2001:db8::1")) == ["six.example.test"]


def test_international_names_are_asked_as_a_labels(bench: Bench) -> None:
    bench.dns.add("xn--bcher-kva.test", "MX", "10 mail.test.")
    assert bench.run(lambda r: r.mx("Bücher.test")) == [Mx(10, "mail.test")]


def test_what_can_be_no_name_does_not_exist_and_is_not_asked(bench: Bench) -> None:
    for name in ("a..b", "x" * 70 + ".test", "", "a\\b.test"):
        with pytest.raises(NoSuchName):
            bench.run(lambda r, name=name: r.mx(name))
    assert bench.dns.queries == []


def test_a_large_answer_comes_whole_over_tcp(bench: Bench) -> None:
    bench.dns.add("big.test", "MX", *(f"{n} a-rather-long-name-number-{n}.mail.big.test." for n in range(60)))
    assert len(bench.run(lambda r: r.mx("big.test"))) == 60
    assert {transport for _, _, transport in bench.dns.queries} == {"udp", "tcp"}


def test_an_answer_has_a_bound_and_the_best_mx_are_kept(bench: Bench) -> None:
    bench.dns.add("huge.test", "MX", *(f"{n} m{n}.test." for n in range(300, 0, -1)))
    assert [mx.preference for mx in bench.run(lambda r: r.mx("huge.test"))] == list(range(1, 101))


def test_equal_look_ups_at_once_are_one_question(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "10 mail.test.")
    bench.dns.delay = 0.05

    async def use(resolver: DnsResolver) -> list[list[Mx]]:
        return await asyncio.gather(*(resolver.mx("example.test") for _ in range(20)))

    assert bench.run(use) == [[Mx(10, "mail.test")]] * 20
    assert bench.dns.asked("example.test", "MX") == 1


def test_one_who_gives_up_does_not_take_the_answer_from_the_others(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "10 mail.test.")
    bench.dns.delay = 0.05

    async def use(resolver: DnsResolver) -> list[Mx]:
        first = asyncio.create_task(resolver.mx("example.test"))
        second = asyncio.create_task(resolver.mx("example.test"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert bench.run(use) == [Mx(10, "mail.test")]
    assert bench.dns.asked("example.test", "MX") == 1


def test_answers_are_kept_for_their_ttl(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "10 mail.test.", ttl=30)
    bench.dns.negative_ttl = 20

    async def use(resolver: DnsResolver) -> tuple[int, ...]:
        counts = []
        for forward in (0, 19, 2, 10):
            bench.clock.forward(forward)
            await resolver.mx("example.test")
            with pytest.raises(NoSuchName):
                await resolver.mx("gone.test")
            counts += [bench.dns.asked("example.test", "MX"), bench.dns.asked("gone.test", "MX")]
        return tuple(counts)

    assert bench.run(use) == (1, 1, 1, 1, 1, 2, 2, 2)


def test_no_data_is_kept_for_the_ttl_of_the_soa(bench: Bench) -> None:
    bench.dns.host("host.test", "192.0.2.1")
    bench.dns.negative_ttl = 20

    async def use(resolver: DnsResolver) -> None:
        for forward in (0, 19, 2):
            bench.clock.forward(forward)
            assert await resolver.mx("host.test") == []

    bench.run(use)
    assert bench.dns.asked("host.test", "MX") == 2


def test_a_change_of_servers_counts_at_once_and_forgets(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "10 old.test.")
    with DnsServer() as other:
        other.add("example.test", "MX", "10 new.test.")

        async def use(resolver: DnsResolver) -> list[Mx]:
            await resolver.mx("example.test")
            bench.config.use(DnsSettings(server=(other.address,)))
            return await resolver.mx("example.test")

        assert bench.run(use) == [Mx(10, "new.test")]


def test_the_next_server_answers_for_a_dead_one(bench: Bench) -> None:
    bench.dns.add("example.test", "MX", "10 mail.test.")
    bench.config.use(DnsSettings(server=(HostPort("127.0.0.1:1"), bench.dns.address), timeout=Duration("5s")))
    assert bench.run(lambda r: r.mx("example.test")) == [Mx(10, "mail.test")]


def test_one_family_that_fails_does_not_hide_the_other(bench: Bench) -> None:
    bench.dns.host("host.test", "192.0.2.1")
    bench.dns.servfail_type("host.test", "AAAA")
    assert bench.run(lambda r: r.addresses("host.test")) == ["192.0.2.1"]
    bench.dns.servfail_type("none.test", "AAAA")
    bench.dns.add("none.test", "TXT", '"x"')
    with pytest.raises(MailError):
        bench.run(lambda r: r.addresses("none.test"))


def test_one_family_alone_is_answered_as_it_is(bench: Bench) -> None:
    """SPF compares addresses of the client's family: what hides a failure would be a wrong verdict."""
    bench.dns.host("host.test", "192.0.2.1", "2001:db8::1")
    assert bench.run(lambda r: r.family("host.test", 4)) == ["192.0.2.1"]
    assert bench.run(lambda r: r.family("host.test", 6)) == ["2001:db8::1"]
    bench.dns.host("half.test", "192.0.2.1")
    bench.dns.servfail_type("half.test", "AAAA")
    with pytest.raises(MailError):
        bench.run(lambda r: r.family("half.test", 6))
    with pytest.raises(NoSuchName):
        bench.run(lambda r: r.family("nothing.test", 4))


def test_closing_ends_what_is_under_way(bench: Bench) -> None:
    bench.dns.silent("slow.test")

    async def use(resolver: DnsResolver) -> bool:
        waiting = asyncio.create_task(resolver.mx("slow.test"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return True

    assert bench.run(use)


def test_look_ups_under_way_are_bounded(bench: Bench) -> None:
    bench.config.use(DnsSettings(server=(bench.dns.address,), max_queries=10))
    for n in range(60):
        bench.dns.host(f"h{n}.test", "192.0.2.1")

    async def use(resolver: DnsResolver) -> list[bool]:
        return await asyncio.gather(*(resolver.exists(f"h{n}.test") for n in range(60)))

    assert bench.run(use) == [True] * 60
