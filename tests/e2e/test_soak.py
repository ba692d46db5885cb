"""Many accounts used at random by several clients and strangers: each holds what its model says, and the store is
clean at the end."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.support.server import Running, command
from tests.support.soak import soak


def test_random_clients_find_what_their_models_say(
    own_server: Callable[..., AbstractContextManager[Running]],
) -> None:
    users = [f"user{number}@example.test" for number in range(1, 13)]
    with own_server({"security/lock-out-after": "0"}, users=12) as server:
        found = soak(server, users, seconds=20, clients=6, seed=4711)
        assert found.differences == []
        assert found.commands > 100
        command(server.directory, "store", "check", "--all")
