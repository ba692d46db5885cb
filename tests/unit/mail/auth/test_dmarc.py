"""DMARC: the walk up the tree, whose policy counts, and what is aligned."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.names import TIMEOUT, Names
from whimbrel.mail.auth.dmarc.evaluation import MAX_QUERIES, Outcome, Proof, evaluate, organization, steps
from whimbrel.mail.auth.dmarc.record import Record, read


def check(zone: dict[str, str], author: str, *proofs: tuple[str, str], known: tuple[str, ...] = ()) -> Outcome:
    names = Names()
    for domain, text in zone.items():
        names.add(f"_dmarc.{domain}", "TXT", text)
    for host in known:
        names.add(host, "A", "192.0.2.1")
    made = [Proof(method, domain) for method, domain in proofs]  # type: ignore[arg-type]
    return asyncio.run(evaluate(names, [author], made))


def test_the_walk_asks_eight_times_at_most() -> None:
    """RFC 9989 4.10: of a name with more than eight labels the seven on the right are what is left after the first."""
    assert steps("a.b.example.com") == ["a.b.example.com", "b.example.com", "example.com", "com"]
    long = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
    assert steps(long) == [
        long, "g.h.i.j.mail.example.com", "h.i.j.mail.example.com", "i.j.mail.example.com", "j.mail.example.com",
        "mail.example.com", "example.com", "com",
    ]  # fmt: skip
    assert len(steps("x." * 60 + "test")) == MAX_QUERIES
    assert len(steps("1.2.3.4.5.6.7.8")) == MAX_QUERIES


@pytest.mark.parametrize(
    ("zone", "author", "proof", "result"),
    [
        ({}, "a.test", ("dkim", "a.test"), "none"),
        ({"a.test": "v=DMARC1; p=reject"}, "a.test", ("dkim", "a.test"), "pass"),
        ({"a.test": "v=DMARC1; p=reject"}, "a.test", ("spf", "b.test"), "fail"),
        ({"a.test": "v=DMARC1; p=reject"}, "a.test", ("spf", "bounce.a.test"), "pass"),
        ({"a.test": "v=DMARC1; p=reject"}, "news.a.test", ("dkim", "bounce.a.test"), "pass"),
        ({"a.test": "v=DMARC1; p=reject"}, "news.a.test", ("dkim", "a.test"), "pass"),
        ({"a.test": "v=DMARC1; p=reject; aspf=s"}, "a.test", ("spf", "bounce.a.test"), "fail"),
        ({"a.test": "v=DMARC1; p=reject; aspf=s"}, "a.test", ("dkim", "bounce.a.test"), "pass"),
        ({"a.test": "v=DMARC1; p=reject; adkim=s"}, "a.test", ("dkim", "bounce.a.test"), "fail"),
        ({"a.test": "v=DMARC1; p=reject"}, "a.test", ("dkim", "evila.test"), "fail"),
        # psd=n ends an organization below another one.
        ({"a.test": "v=DMARC1", "b.a.test": "v=DMARC1; p=reject; psd=n"}, "b.a.test", ("dkim", "c.a.test"), "fail"),
        ({"a.test": "v=DMARC1", "b.a.test": "v=DMARC1; p=reject; psd=n"}, "b.a.test", ("dkim", "x.b.a.test"), "pass"),
        # psd=y: each child of a public suffix is an organization.
        ({"test": "v=DMARC1; psd=y"}, "a.test", ("dkim", "b.test"), "fail"),
        ({"test": "v=DMARC1; psd=y"}, "a.test", ("dkim", "x.a.test"), "pass"),
        ({"com.test": "v=DMARC1; psd=y"}, "x.a.com.test", ("dkim", "b.com.test"), "fail"),
    ],
)
def test_alignment(zone: dict[str, str], author: str, proof: tuple[str, str], result: str) -> None:
    assert check(zone, author, proof).result == result


@pytest.mark.parametrize(
    ("zone", "author", "known", "policy"),
    [
        ({"a.test": "v=DMARC1; p=reject"}, "a.test", (), "reject"),
        ({"a.test": "v=DMARC1; p=reject"}, "x.a.test", (), "reject"),
        ({"a.test": "v=DMARC1; p=reject; sp=none"}, "x.a.test", (), "none"),
        ({"a.test": "v=DMARC1; p=none; np=reject"}, "x.a.test", (), "reject"),
        ({"a.test": "v=DMARC1; p=none; np=reject"}, "x.a.test", ("x.a.test",), "none"),
        ({"a.test": "v=DMARC1; p=none; np=reject"}, "x.a.test", ("y.x.a.test",), "none"),
        ({"a.test": "v=DMARC1; p=none; sp=quarantine; np=reject"}, "x.a.test", ("x.a.test",), "quarantine"),
        ({"a.test": "v=DMARC1; p=none; np=reject"}, "a.test", (), "none"),
        ({"a.test": "v=DMARC1; p=reject; t=y"}, "a.test", (), "quarantine"),
        ({"a.test": "v=DMARC1; p=quarantine; t=y"}, "a.test", (), "none"),
        ({"a.test": "v=DMARC1; p=reject; pct=0"}, "a.test", (), "reject"),  # No pct any more.
        ({"a.test": "v=DMARC1; p=none", "x.a.test": "v=DMARC1; p=reject"}, "x.a.test", (), "reject"),
        # The organization's record counts, not one between.
        ({"a.test": "v=DMARC1; p=reject", "x.a.test": "v=DMARC1; p=none"}, "y.x.a.test", (), "reject"),
        ({"test": "v=DMARC1; p=none; np=reject; psd=y"}, "nobody.test", (), "reject"),
        ({"test": "v=DMARC1; p=reject; psd=y", "a.test": "v=DMARC1; p=none"}, "a.test", (), "none"),
    ],
)
def test_whose_policy_counts(zone: dict[str, str], author: str, known: tuple[str, ...], policy: str) -> None:
    outcome = check(zone, author, known=known)
    assert (outcome.result, outcome.policy) == ("fail", policy)


@pytest.mark.parametrize(
    ("texts", "policy"),
    [
        (["v=DMARC1; p=reject"], "reject"),
        (["v = DMARC1 ; P = Reject ;"], "reject"),
        (["v=DMARC1"], "none"),
        (["v=DMARC1; p=strange; rua=mailto:a@b.test"], "none"),
        (["v=DMARC1; p=reject; unknown=1; sp=strange"], "reject"),
        (["v=DMARC1; p=strange"], None),
        (["p=reject; v=DMARC1"], None),
        (["v=DMARC1x; p=reject"], None),
        (["v=dmarc1; p=reject"], None),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], None),
        (["v=DMARC1; p=reject", "v=spf1 -all", ""], "reject"),
        (["v=DMARC1; p=reject; p=none"], None),
        ([], None),
    ],
)
def test_a_record_is_read(texts: list[str], policy: str | None) -> None:
    record = read(texts)
    assert (record.policy if record else None) == policy


def test_the_organization_is_what_is_next_below_a_public_suffix() -> None:
    assert organization("a.b.test", []) == "a.b.test"
    assert organization("a.b.test", [("b.test", Record()), ("test", Record(psd="y"))]) == "b.test"
    assert organization("test", [("test", Record(psd="y"))]) == "test"


def test_a_name_server_that_is_down_is_no_verdict() -> None:
    names = Names({"_dmarc.a.test": [TIMEOUT]})
    assert asyncio.run(evaluate(names, ["a.test"], [])).result == "temperror"
    # What proves it already needs nothing more.
    names = Names({"_dmarc.a.test": [("TXT", "v=DMARC1; p=reject")], "_dmarc.x.a.test": [TIMEOUT]})
    proofs = [Proof("spf", "x.a.test"), Proof("dkim", "a.test")]
    assert asyncio.run(evaluate(names, ["a.test"], proofs)).result == "pass"
    assert asyncio.run(evaluate(names, ["a.test"], proofs[:1])).result == "temperror"


def test_each_name_is_asked_for_once() -> None:
    names = Names({"_dmarc.a.test": [("TXT", "v=DMARC1; p=reject")]})
    proofs = [Proof("dkim", f"x{n}.a.test") for n in range(8)]
    asyncio.run(evaluate(names, ["y.a.test"], proofs))
    asked = [name for name, kind in names.asked if kind == "TXT"]
    assert len(asked) == len(set(asked)) <= 8 + 3


@given(
    st.lists(
        st.sampled_from(["v=DMARC1", ";", "p=", "reject", " ", "np=x", "psd=y", "\u00e4", "=", "rua=mailto:", ","])
    ).map("".join)
)
def test_no_record_raises(text: str) -> None:
    assert read([text]) is None or isinstance(read([text]), Record)
