"""Fixtures: one running server for all tests of a process, and one of their own for those that harm theirs."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import Running, free_ports, serving, set_up

MANY = 120
"""Users of the shared server."""

NAMES = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("server") / "whimbrel"
    set_up(directory, MANY, free_ports(NAMES), {"security/lock-out-after": "0", "security/lock-out-host-after": "0"})
    with serving(directory) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[Running]]:
    """A server for one test alone, with settings of its own."""

    @contextlib.contextmanager
    def make(settings: dict[str, str] | None = None, users: int = 3) -> Iterator[Running]:
        directory = tmp_path / "whimbrel"
        if not directory.exists():
            set_up(directory, users, free_ports(NAMES), settings)
        with serving(directory) as running:
            yield running

    return make


class Users:
    """Hands out users that no other test of this process has."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self) -> str:
        self._next += 1
        assert self._next <= MANY, "give the server more users"
        return f"user{self._next}@example.test"


@pytest.fixture(scope="session")
def users() -> Users:
    return Users()
