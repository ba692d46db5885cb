"""`test smtp` and `test tls` against a real Postfix."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.peers.test_postfix import arrived, tls
from tests.support.postfix import postfix_with_maildir
from tests.support.server import ENV, Running

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
pytestmark = [pytest.mark.peer("postfix"), pytest.mark.root, pytest.mark.xdist_group("postfix")]


def tool(server: Running, *words: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.cli", "--dir", str(server.directory), "test", *words, "--json"],
        env=ENV, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 6), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_call_to_postfix_shows_its_tls_and_sends_only_what_is_asked_for(own_server: Maker, tmp_path: Path) -> None:
    with postfix_with_maildir(tmp_path / "peer", tls(tmp_path)) as (peer, maildir), own_server({}) as server:
        port = str(peer.port)
        status, steps = tool(server, "smtp", "127.0.0.1", "--port", port)
        texts = [step["text"] for step in steps]
        assert any("220 peer.test" in text for text in texts)
        assert any(step["kind"] == "tls" and step["facts"]["version"] == "TLSv1.3" for step in steps)
        assert any("peer.test" in step["text"] for step in steps if step["kind"] == "certificate")
        assert status == 6  # Nobody vouches for that certificate.
        assert not list(maildir.glob("new/*"))
        assert tool(server, "smtp", "localhost", "--port", port)[1][0]["problems"]  # A name, and this machine.

        _, steps = tool(server, "smtp", "127.0.0.1", "--port", port, "--to", "bob@peer.test")
        assert steps[-1]["text"].startswith("< 221") or any("was taken" in step["text"] for step in steps)
        (content,) = arrived(maildir, peer)
        assert b"Subject: Test message" in content

        _, steps = tool(server, "tls", f"127.0.0.1:{port}", "--starttls", "smtp")
        taken = {step["facts"].get("version"): step["facts"].get("taken") for step in steps if step["kind"] == "tls"}
        assert taken["1.3"] == taken["1.2"] == "yes"

        _, steps = tool(server, "ports")
        assert all(not step["problems"] for step in steps), steps

        _, steps = tool(server, "mail", "user1@example.test")
        assert any("Result: delivered" in step["text"] for step in steps), steps
