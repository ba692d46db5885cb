"""SPF beside the published suite (tests/peers/test_mail_authentication.py): limits, and what strangers may write."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.names import TIMEOUT, Names
from whimbrel.mail.auth.spf.evaluation import Outcome, check_host
from whimbrel.mail.auth.spf.record import PermError, parse, selected


def check(zone: dict[str, list[object]], ip: str = "192.0.2.1", domain: str = "example.test") -> Outcome:
    return asyncio.run(check_host(Names(zone), ip, domain, local="a", helo="mail.example.test", receiver="us.test"))


@pytest.mark.parametrize(
    ("record", "ip", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.1", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "::ffff:192.0.2.1", "pass"),  # RFC 4291 2.5.5.2
        ("v=spf1 ip6:2001:db8::/32 ~all", "2001:db8::1", "pass"),
        ("v=spf1 ip6:2001:db8::/32 ~all", "192.0.2.1", "softfail"),
        ("V=SPF1 ?ALL", "192.0.2.1", "neutral"),
        ("v=spf1", "192.0.2.1", "neutral"),
        ("v=spf10 -all", "192.0.2.1", "none"),
        ("v=spf1 ip4:192.0.2.0/33 -all", "192.0.2.1", "permerror"),
        ("v=spf1 -all ipv4:192.0.2.1", "192.0.2.1", "permerror"),  # 4.6: the whole record is looked at first.
        ("v=spf1 exp=%{l}.%{x}.test -all", "192.0.2.1", "permerror"),
        ("v=spf1 unknown=%{d} -all", "192.0.2.1", "fail"),
        ("v=spf1 unknown=%{ -all", "192.0.2.1", "permerror"),
        ("v=spf1 a:%{d0}.test -all", "192.0.2.1", "permerror"),
        ("v=spf1 \u00e4 -all", "192.0.2.1", "permerror"),
    ],
)
def test_a_record_gives_its_result(record: str, ip: str, result: str) -> None:
    assert check({"example.test": [("TXT", record)]}, ip).result == result


def test_an_mx_term_counts_as_one_of_ten_whatever_hosts_it_names() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [
            ("TXT", "v=spf1 mx mx mx mx mx mx mx mx mx mx -all"),
            *(("MX", f"10 m{n}.test") for n in range(10)),
        ],
        **{f"m{n}.test": [("A", "198.51.100.1")] for n in range(10)},
    }
    assert check(zone) == Outcome("fail", "all", lookups=10)
    zone["example.test"][0] = ("TXT", "v=spf1 mx mx mx mx mx mx mx mx mx mx mx -all")
    assert check(zone).result == "permerror"


def test_more_than_ten_servers_of_one_mx_are_an_error() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [("TXT", "v=spf1 mx -all"), *(("MX", f"10 m{n}.test") for n in range(11))]
    }
    assert check(zone).result == "permerror"


def test_includes_that_go_round_end_at_ten() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [("TXT", "v=spf1 include:other.test -all")],
        "other.test": [("TXT", "v=spf1 include:example.test -all")],
    }
    assert check(zone).result == "permerror"
    assert check({"example.test": [("TXT", "v=spf1 redirect=example.test")]}).result == "permerror"


def test_two_look_ups_may_be_void() -> None:
    assert check({"example.test": [("TXT", "v=spf1 a:x.test a:y.test -all")]}).result == "fail"
    assert check({"example.test": [("TXT", "v=spf1 a:x.test a:y.test a:z.test -all")]}).result == "permerror"


def test_a_server_that_does_not_answer_is_no_verdict() -> None:
    outcome = check({"example.test": [("TXT", "v=spf1 a:slow.test -all")], "slow.test": [TIMEOUT]})
    assert outcome.result == "temperror"
    assert "slow.test" in outcome.reason
    assert check({"example.test": [TIMEOUT]}).result == "temperror"


def test_addresses_of_the_other_family_do_not_hide_a_failure() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [("TXT", "v=spf1 a:both.test -all")],
        "both.test": [("AAAA", "2001:db8::1"), ("A", TIMEOUT)],
    }
    assert check(zone).result == "temperror"
    assert check(zone, "2001:db8::1").result == "pass"


def test_a_null_mx_is_no_host() -> None:
    assert check({"example.test": [("TXT", "v=spf1 mx -all"), ("MX", "0 .")]}).result == "fail"


def test_the_explanation_is_of_the_domain_that_said_no() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [("TXT", "v=spf1 -all exp=why.%{d}")],
        "why.example.test": [("TXT", "%{i} may not send for %{d}%_(%{r})")],
    }
    assert check(zone).explanation == "192.0.2.1 may not send for example.test (us.test)"
    zone["why.example.test"] = [TIMEOUT]
    assert check(zone) == Outcome("fail", "all")


def test_a_client_without_a_proven_name_is_unknown() -> None:
    zone: dict[str, list[object]] = {
        "example.test": [("TXT", "v=spf1 exists:%{p}.ok.test -all")],
        "1.2.0.192.in-addr.arpa": [("PTR", "liar.example.test")],
        "liar.example.test": [("A", "192.0.2.99")],
        "unknown.ok.test": [("A", "127.0.0.2")],
    }
    assert check(zone).result == "pass"
    zone["liar.example.test"] = [("A", "192.0.2.1")]
    assert check(zone).result == "fail"


@pytest.mark.parametrize("domain", ["", "localhost", "a..test", "x" * 64 + ".test", "[192.0.2.1]", "a b.test"])
def test_what_is_no_domain_is_not_asked_for(domain: str) -> None:
    names = Names()
    assert asyncio.run(check_host(names, "192.0.2.1", domain)).result == "none"
    assert [name for name, _ in names.asked if name] in ([], ["[192.0.2.1]"])


def test_several_records_are_an_error() -> None:
    with pytest.raises(PermError):
        selected(["v=spf1 -all", "v=spf1", "v=spf10"])
    assert selected(["google-site-verification=x"]) is None


@given(
    st.lists(
        st.sampled_from(
            [
                "v=spf1",
                " ",
                "a",
                "mx",
                ":",
                "/",
                "24",
                "//64",
                "%{",
                "d2r",
                "}",
                "exp=",
                "redirect=",
                "x.test",
                "-",
                "ip4:1.2.3.4",
                "%%",
                "\u00e4",
                "include:",
                "exists:%{ir}.x.test",
                "ptr",
                "\t",
                "=",
                "%{l-}",
                "ip6:::1",
                "all",
                "~",
            ]
        )
    ).map("".join)
)
def test_no_record_raises_anything_but_an_error_of_its_owner(text: str) -> None:
    outcome = check({"example.test": [("TXT", "v=spf1 " + text)]})
    assert outcome.result in ("pass", "fail", "softfail", "neutral", "permerror", "temperror")


def test_a_long_record_is_read_in_linear_time() -> None:
    """Each of these would take minutes if its time grew with the square."""
    for term in ("a:" + "a-" * 30_000, "a:" + "1" * 60_000 + ".", "x=" + "%{d" * 20_000, "a/" + "//" * 30_000,
                 "exists:" + ".a" * 30_000 + "!"):  # fmt: skip
        try:
            parse("v=spf1 " + term)
        except PermError:
            continue
