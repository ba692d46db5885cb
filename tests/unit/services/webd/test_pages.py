"""The built console as browsers get it: which file, in which encoding, kept how long, and no file beside them."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.unit.services.webd.bench import Answer, Bench
from whimbrel.services.webd.pages import encodings
from whimbrel.services.webd.security import console_policy

PAGE = b"<!doctype html><script>theme()</script><script type=module src=/assets/a-1.js></script><div id=root></div>"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    for name, content in (("a-1.js", b"plain"), ("a-1.js.br", b"brotli"), ("a-1.js.gz", b"gzip"), ("b-2.css", b"css")):
        (folder / "assets" / name).write_bytes(content)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return folder


def get(folder: Path, target: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    return asyncio.run(Bench(folder.parent, folder).get(target, *headers, method=method))


@pytest.mark.parametrize(
    ("accepts", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli"),
        ("gzip", "gzip", b"gzip"),
        ("br;q=0, gzip;q=0.5", "gzip", b"gzip"),
        ("BR", "br", b"brotli"),
        ("", "", b"plain"),
        ("br;q=0.000, gzip; q=0", "", b"plain"),
    ],
)
def test_a_file_comes_in_the_best_encoding_that_is_accepted(
    built: Path, accepts: str, encoding: str, body: bytes
) -> None:
    answer = get(built, "/assets/a-1.js", ("accept-encoding", accepts))
    assert (answer.status, answer.body, answer["content-encoding"]) == (200, body, encoding)
    assert answer["content-type"] == "text/javascript; charset=utf-8" and answer["vary"] == "accept-encoding"
    assert answer["content-length"] == str(len(body))


def test_a_file_without_packed_forms_comes_as_it_is(built: Path) -> None:
    answer = get(built, "/assets/b-2.css", ("accept-encoding", "br"))
    assert (answer.body, answer["content-encoding"]) == (b"css", "")


def test_hashed_names_are_kept_for_ever_others_are_asked_for_again_the_page_is_not_kept(built: Path) -> None:
    assert get(built, "/assets/a-1.js")["cache-control"] == "public, max-age=31536000, immutable"
    assert get(built, "/favicon.svg")["cache-control"] == "no-cache"
    assert get(built, "/users/anna@example.com")["cache-control"] == "no-store"


def test_what_the_client_has_is_not_sent_again_but_another_encoding_is_another_thing(built: Path) -> None:
    tag = get(built, "/assets/a-1.js", ("accept-encoding", "br"))["etag"]
    again = get(built, "/assets/a-1.js", ("accept-encoding", "br"), ("if-none-match", f'"x", W/{tag}'))
    assert (again.status, again.body, again["etag"]) == (304, b"", tag)
    assert get(built, "/assets/a-1.js", ("if-none-match", tag)).status == 200


def test_head_says_what_get_would(built: Path) -> None:
    head, whole = get(built, "/assets/a-1.js", method="HEAD"), get(built, "/assets/a-1.js")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)


@pytest.mark.parametrize("path", ["/", "/users", "/domains/example.com/dkim", "/index.html", "/a//b"])
def test_what_is_no_file_is_the_page(built: Path, path: str) -> None:
    answer = get(built, path)
    assert (answer.status, answer.body, answer["content-type"]) == (200, PAGE, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret",
        "/assets/%2E%2E%2F%2e%2E/secret.txt", "/assets/.%2e/secret.txt", "/..\\secret.txt", "/assets/..%5c..%5cx",
        "/assets/a-1.js%00.css", "/./secret.txt", "/assets/./a-1.js", "/..", "/%2e%2e", "/assets/a-1.js/..",
        "/assets/\x00", "/assets/a 1.js", "/%c0%ae%c0%ae/%2e%2e/secret.txt", "/assets/....//....//secret.txt/..",
        "/assets/a-1.js.br", "/assets/a-1.js.gz", "/assets/", "/assets/secret.txt", "/assets//etc/passwd",
    ],
)  # fmt: skip
def test_tricks_with_paths_lead_to_nothing(built: Path, path: str) -> None:
    answer = get(built, path)
    assert answer.status == 404 and b"secret" not in answer.body and b"root:" not in answer.body


def test_a_link_out_of_the_folder_is_still_only_what_the_build_put_there(built: Path) -> None:
    answer = get(built, "/%2fetc/passwd")
    assert answer.body == PAGE  # A path of the console, whatever it is called.


def test_a_console_that_is_not_built_says_so_and_how(tmp_path: Path) -> None:
    answer = get(tmp_path / "nothing", "/")
    assert answer.status == 503 and b"has not been built" in answer.body and b"npm ci" in answer.body
    assert answer["cache-control"] == "no-store"


def test_a_console_built_anew_is_served_without_a_restart(built: Path) -> None:
    async def run() -> tuple[Answer, Answer, Answer]:
        bench = Bench(built.parent, built)
        before = await bench.get("/assets/c-3.js")
        (built / "assets" / "c-3.js").write_bytes(b"new")
        (built / "index.html.new").write_bytes(b"<p>new</p>")
        os.replace(built / "index.html.new", built / "index.html")
        return before, await bench.get("/assets/c-3.js"), await bench.get("/")

    before, after, page = asyncio.run(run())
    assert (before.status, after.body, page.body) == (404, b"new", b"<p>new</p>")


def test_each_answer_has_a_nonce_of_its_own_where_the_page_wants_one(built: Path) -> None:
    (built / "index.html").write_bytes(b'<meta property="csp-nonce" nonce="__CSP_NONCE__">')
    first, second = get(built, "/"), get(built, "/")
    nonce = first.body.split(b'"')[3].decode()
    assert f"style-src 'self' 'nonce-{nonce}'" in first["content-security-policy"] and len(nonce) > 20
    assert first.body != second.body


def test_scripts_in_the_page_are_allowed_by_their_hash_alone() -> None:
    _, policy = console_policy(PAGE, "")
    scripts = next(part for part in policy.decode().split("; ") if part.startswith("script-src"))
    # printf 'theme()' | openssl dgst -sha256 -binary | base64
    assert scripts == "script-src 'self' 'sha256-Rfr3GgHZFiXm+TmNr+li+0sZ4J9FGllo8jsXcJF5XZ8='"
    assert b"unsafe" not in policy and b"frame-ancestors 'none'" in policy


def test_accept_encoding_of_any_length_is_read_in_bounds() -> None:
    assert encodings(b"x," * 1000 + b"br") == {"x"}
