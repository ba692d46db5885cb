"""URLs in settings: what none can be called is said in words, and a secret one is shown with its host alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.core.urls import SecretUrl, ServerUrl, Url, url_fault

SLACK = "https://hooks.example.org/services/T00000000/B11111111/abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://", "host is missing"),
        ("https:///path", "host is missing"),
        ("https://[::1", "in brackets"),
        ("https://::1/", "in brackets"),
        ("https://[::1]x/", "in brackets"),
        ("https://[::g]/", "in brackets"),
        ("https://1.2.3.400/", "no IP address"),
        ("https://user@hooks.example.org/", "name or password"),
        ("https://user:pass@hooks.example.org/", "name or password"),
        ("https://good.example.org\\@evil.example.org/", "percent-encoded"),
        ("https://hooks.example.org:0/", "port"),
        ("https://hooks.example.org:65536/", "port"),
        ("https://hooks.example.org:/", "port"),
        ("https://hooks.example.org:8x/", "port"),
        ("https://hooks.example.org/a b", "space"),
        (" https://hooks.example.org/", "space"),
        ("https://hooks.example.org/\r\nX-Injected: 1", "line break"),
        ("https://hooks.example.org/\t", "line break"),
        ("https://hooks.example.org/\u2028", "line break"),
        ("http://hooks.example.org/", "https://"),
        ("hooks.example.org", "https://"),
        ("https://h\u00f6ks.example.org/", "xn--"),
        ("https://hooks..example.org/", "no name or address"),
        ("https://hooks.example.org/" + "x" * 2000, "at most"),
        ("https://hooks.example.org/...", "how the URL is shown"),
    ],
)
def test_what_cannot_be_called_is_said_in_words(url: str, words: str) -> None:
    assert words in url_fault(url)


@pytest.mark.parametrize(
    "url",
    [
        SLACK,
        "https://hooks.example.org",
        "HTTPS://hooks.example.org:8443/x?token=a%20b&c=d",
        "https://[2001:db8::1]:443/",
        "https://192.0.2.1/",
        "https://a_b.example.org./~x/(y);z",
    ],
)
def test_what_can_be_called_is_taken(url: str) -> None:
    assert url_fault(url) == "" == Url(url).fault == SecretUrl(url).fault


def test_a_server_has_no_path() -> None:
    assert ServerUrl("https://mx2.example.org:44337/").fault == "" == ServerUrl("").fault
    for url in ("https://mx2.example.org/api", "https://mx2.example.org?x", "https://mx2.example.org/#x"):
        assert "behind host and port" in ServerUrl(url).fault


def test_a_secret_url_is_shown_with_its_host_alone() -> None:
    url = SecretUrl(SLACK)
    assert str(url) == f"{url}" == "https://hooks.example.org/..." and "T0000" not in repr(url)
    assert str(SecretUrl("https://hooks.example.org:8443/x")) == "https://hooks.example.org:8443/..."
    assert str(SecretUrl("")) == "" and str(SecretUrl("https://user:pass@x.example/y")) == "********"


@given(st.text(max_size=60))
def test_no_fault_and_no_form_tells_what_was_typed(text: str) -> None:
    secret = f"https://hooks.example.org/{text}-tok3n-4711-x"
    assert "tok3n" not in url_fault(secret) + str(SecretUrl(secret)) + repr(SecretUrl(secret))


@pytest.mark.parametrize(
    "said",
    [
        f"not found: {SLACK}",
        "the requested URL /services/T00000000/B11111111/abcdefghijklmnopqrstuvwx was not found",
        "no team T00000000",
        "token abcdefghijklmnopqrstuvwx is revoked, so is B11111111",
        "it ends in the middle: abcdefghijklmnop",
    ],
)
def test_what_the_other_side_repeats_is_taken_out(said: str) -> None:
    hidden = SecretUrl(SLACK).hidden_in(said)
    assert not any(piece in hidden for piece in ("T00000000", "B11111111", "abcdefgh"))
    assert SecretUrl(SLACK).hidden_in("the answer is 404: no_service") == "the answer is 404: no_service"


def test_a_percent_encoded_secret_is_known_as_the_other_side_reads_it() -> None:
    assert "pass word 1" not in SecretUrl("https://x.example/pass%20word%201").hidden_in("no hook 'pass word 1'")
