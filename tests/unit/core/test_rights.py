"""Rights are a set, each with its domains."""

import pytest

from whimbrel.core.address import Domain
from whimbrel.core.rights import EVERYTHING, NOTHING, Grant, Grants, Right

ORG, NET, COM = Domain("example.org"), Domain("example.net"), Domain("example.com")


def grants(rights: str = "none", *more: str) -> Grants:
    return Grants.of(rights, more, ORG)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("domain", "domain"),
        ("domain Example.ORG", "domain example.org"),
        ("accounts example.org, example.net", "accounts example.net example.org"),
        ("domain b\u00fccher.example", "domain xn--bcher-kva.example"),
        ("mail-read", "mail-read"),
        ("mail-read example.net", "mail-read example.net"),
        ("server-write", "server-write"),
    ],
)
def test_a_grant_has_one_spelling(text: str, written: str) -> None:
    assert Grant(text) == written
    assert Grant(Grant(text)) == written


@pytest.mark.parametrize(
    "text", ["", "none", "self", "all", "server-read example.org", "server-write *", "domain ex ample..org", "DOMAIN"]
)
def test_what_is_no_grant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Grant(text)


@pytest.mark.parametrize(
    ("given", "needs", "where", "reads", "may"),
    [
        # What stood in <rights> before there were grants means the same.
        (grants(), Right.ACCOUNTS, "example.org", True, False),
        (grants("domain"), Right.DOMAIN, "example.org", False, True),
        (grants("domain"), Right.ACCOUNTS, "example.org", False, True),
        (grants("domain"), Right.ACCOUNTS, "example.net", False, False),
        (grants("domain"), Right.SERVER_READ, "", True, False),
        (grants("server-read"), Right.ACCOUNTS, "example.net", True, True),
        (grants("server-read"), Right.ACCOUNTS, "example.org", False, False),
        (grants("server-read"), Right.SERVER_READ, "", True, True),
        (grants("server-read"), Right.SERVER_WRITE, "", False, False),
        (grants("server-write"), Right.SERVER_WRITE, "", False, True),
        (grants("server-write"), Right.SERVER_READ, "", True, True),
        (grants("server-write"), Right.DOMAIN, "example.net", False, True),
        # Several domains; accounts are less than the domain.
        (grants("none", "domain example.net example.com"), Right.DOMAIN, "example.com", False, True),
        (grants("none", "domain example.net example.com"), Right.DOMAIN, "example.org", False, False),
        (grants("domain", "accounts example.net"), Right.ACCOUNTS, "example.net", False, True),
        (grants("domain", "accounts example.net"), Right.DOMAIN, "example.net", False, False),
        (grants("none", "accounts example.net"), Right.ACCOUNTS, "", False, True),
        (grants(), Right.ACCOUNTS, "", False, False),
        # Everybody has the right for oneself.
        (grants(), Right.SELF, "", False, True),
    ],
)
def test_a_right_counts_where_it_was_given(given: Grants, needs: Right, where: str, reads: bool, may: bool) -> None:
    assert given.allows(needs, where, reads=reads) is may


@pytest.mark.parametrize("rights", ["domain", "server-read", "server-write"])
def test_no_other_right_reads_peoples_mail(rights: str) -> None:
    assert not grants(rights).allows(Right.MAIL_READ, "example.org", reads=True)
    assert grants(rights, "mail-read").allows(Right.MAIL_READ, "example.org", reads=True)


def test_reading_mail_stays_where_one_administers_or_within_what_is_named() -> None:
    assert grants("none", "mail-read").domains(Right.MAIL_READ) == frozenset()
    assert grants("domain", "mail-read").domains(Right.MAIL_READ) == {ORG}
    assert grants("domain", "mail-read example.net").domains(Right.MAIL_READ) == {NET}
    assert grants("none", "accounts example.com", "mail-read").domains(Right.MAIL_READ) == {COM}
    assert grants("server-read", "mail-read").domains(Right.MAIL_READ) is None
    assert grants("server-write", "mail-read example.net").domains(Right.MAIL_READ) == {NET}
    assert EVERYTHING.domains(Right.MAIL_READ) is None


def test_nobody_includes_who_may_more() -> None:
    assert EVERYTHING.includes(grants("server-write", "mail-read", "accounts example.com"))
    assert grants("server-write").includes(grants("domain"))
    assert not grants("server-write").includes(grants("domain", "mail-read"))
    assert not grants("server-read").includes(grants("domain"))
    assert grants("domain").includes(grants("none", "accounts example.org"))
    assert not grants("domain").includes(grants("none", "accounts example.org example.net"))
    assert not grants("none", "accounts example.org").includes(grants("domain"))
    assert not grants("domain").includes(grants("server-read"))
    assert grants("domain").includes(NOTHING)


def test_who_reads_mail_nowhere_is_included_by_nobody_without_that_right() -> None:
    """The grant waits for the day on which its holder administers something."""
    assert not grants("server-write").includes(grants("none", "mail-read"))
    assert EVERYTHING.includes(grants("none", "mail-read"))
