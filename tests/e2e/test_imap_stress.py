"""A crowd of clients in one mailbox, over real connections and both workers: no promise of IMAP is broken."""

import asyncio
from pathlib import Path

from tests.support.imap_stress import stress
from tests.support.server import PASSWORD, free_ports, serving, set_up


def test_a_crowd_of_clients_hears_nothing_that_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    set_up(folder, 1, free_ports(["imap"]))
    with serving(folder) as server:
        port = server.ports["imap"]
        commands = asyncio.run(stress(port, "user1@example.test", PASSWORD, clients=10, steps=30, seed=1))
        assert commands > 10 * 30
