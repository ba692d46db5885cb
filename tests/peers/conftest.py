"""The peers talk to a whole running server."""

from tests.e2e.conftest import own_server, server, users

__all__ = ["own_server", "server", "users"]
