"""The Unix socket: who may open it, and a whole call over it by the client of the command line."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.unit.services.admin.office import CALLS, Office
from whimbrel.app.cli import main
from whimbrel.app.cli.client import Answer, Client, Options, Unreachable
from whimbrel.core.log import LogLine, LogPage, LogQuery
from whimbrel.services.admin import local, web
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.local import serving
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.web import application

T = TypeVar("T")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def served(office: Office, path: Path, work: Callable[[], T]) -> T:
    """What `work`, in a thread, finds while the socket is served."""

    async def run() -> T:
        ctx = office.context()
        async with serving(application(all_calls(), lambda request: ctx), path, office.log):
            return await asyncio.to_thread(work)

    return asyncio.run(run())


def test_socket_and_folder_are_for_their_owner_alone(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "run" / "admin.sock"
    path.parent.mkdir(mode=0o755)

    def modes() -> tuple[int, int]:
        return stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)

    assert served(office, path, modes) == (0o600, 0o700)
    assert not path.exists()


def test_calls_and_streams_come_back_over_the_socket(office: Office, tmp_path: Path) -> None:
    client = Client(tmp_path / "admin.sock")

    def work() -> tuple[Any, Any, Any]:
        client.call(CALLS["user set"], {"name": "alice", "description": "ä"}, Options())
        client.call(CALLS["domain add"], {"name": "dry.test"}, Options(dry_run=True))
        with pytest.raises(CallError) as caught:
            client.call(CALLS["user show"], {"name": "alcie"}, Options())
        lines = list(
            client.stream(CALLS["log tail"], {"log": ["mail"], "lines": 1, "follow": True}, Options(), Answer())
        )
        return client.call(CALLS["user show"], {"name": "alice"}, Options()).result, caught.value, lines

    shown, error, lines = served(office, tmp_path / "admin.sock", work)
    assert shown["description"] == "ä"
    assert (error.kind, "did you mean" in error.text) == (Failure.NOT_FOUND, True)
    assert lines == ["three", "new 0", "new 1", "new 2"]
    assert "dry.test" not in office.users


def test_a_stream_refused_halfway_raises_its_error(office: Office, tmp_path: Path) -> None:
    client = Client(tmp_path / "admin.sock")

    def work() -> Failure:
        with pytest.raises(CallError) as caught:
            list(client.stream(CALLS["store check"], {"account": "bob@other.test"}, Options(), Answer()))
        return caught.value.kind

    assert served(office, tmp_path / "admin.sock", work) is Failure.NOT_FOUND


def test_a_path_longer_than_the_system_allows_still_works(office: Office, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 60) / ("y" * 60) / "admin.sock"
    assert len(os.fsencode(path)) > 108
    assert served(office, path, Client(path).reachable)


def test_another_user_is_turned_away_before_a_byte_is_read(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "peer_of", lambda connection: local.Peer(12345, 1))
    client = Client(tmp_path / "admin.sock")

    def work() -> None:
        with pytest.raises(Unreachable):
            client.call(CALLS["user list"], {}, Options())

    served(office, tmp_path / "admin.sock", work)
    assert office.log.named("admin.refused")[0]["user"] == 12345


def test_whom_the_server_refuses_is_turned_away_and_stands_in_the_security_log(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    async def run() -> None:
        ctx = office.context()

        def work() -> None:
            with pytest.raises(Unreachable):
                Client(path).call(CALLS["user list"], {}, Options())

        answers = application(all_calls(), lambda request: ctx)
        async with serving(answers, path, office.log, lambda peer: f"process {peer.process} is a worker"):
            await asyncio.to_thread(work)

    asyncio.run(run())
    assert office.log.named("admin.refused")[0]["reason"] == f"process {os.getpid()} is a worker"


def test_the_system_tells_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = local.peer_of(ours)
        assert peer is None or (peer.user, peer.process) == (os.geteuid(), os.getpid())


def test_a_socket_left_by_a_killed_server_is_replaced_and_counts_as_no_server(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not Client(path).reachable()
    assert not Client(tmp_path / "none.sock").reachable()
    assert served(office, path, Client(path).reachable)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n", b"x" * 200_000, b""])
def test_garbage_on_the_socket_harms_nobody(office: Office, tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "admin.sock"

    def work() -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            with contextlib.suppress(OSError):
                sock.sendall(garbage)
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(5)
                while sock.recv(65536):
                    pass
        return bool(Client(path).call(CALLS["user list"], {}, Options()).result["items"])

    assert served(office, path, work)


def test_the_command_line_uses_the_server_that_runs_and_refuses_to_go_behind_its_back(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dir", str(tmp_path), "user", "set", "alice", "--description", "by the server"]

    def work() -> tuple[int, int, int]:
        return (
            main(words),
            main(["--dir", str(tmp_path), "--offline", "user", "list"]),
            main(["--dir", str(tmp_path), "log", "tail", "mail", "--lines", "2", "--follow"]),
        )

    assert served(office, tmp_path / "run" / "admin.sock", work) == (0, 1, 0)
    assert "by the server" in office.users  # The folder of the socket holds no installation: it was the server.
    captured = capsys.readouterr()
    assert "stop it first" in captured.err
    assert captured.out.splitlines()[1:] == ["two Alice", "three", "new 0", "new 1", "new 2"]


def test_the_end_of_the_server_ends_a_stream_that_follows(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    class Endless:
        async def search(self, query: LogQuery, limit: int, cursor: str = "") -> LogPage:
            return LogPage((LogLine("mail", 0.0, "one"),))

        async def follow(self, logs: list[str]) -> Any:
            await asyncio.Event().wait()
            yield LogLine("mail", 0.0, "")

    async def run() -> bytes:
        ctx = office.context(logs=Endless())
        async with serving(application(all_calls(), lambda request: ctx), path, office.log):
            reader, writer = await asyncio.open_unix_connection(str(path))
            body = json.dumps({"log": ["mail"], "follow": True}).encode()
            writer.write(
                b"POST /api/admin/log/tail HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
            seen = await reader.readuntil(b'{"item":"one"}')
        rest = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return seen + rest

    assert b'"end"' not in asyncio.run(run())


@contextlib.contextmanager
def connected(path: Path, count: int = 1) -> Iterator[list[socket.socket]]:
    """So many clients, none of which says anything."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(os.fspath(path))
            client.settimeout(20)
            clients.append(client)
        yield clients


def everything(client: socket.socket) -> bytes:
    """What it is sent, to the end."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a client that goes gives up its place: no time-out does it."""
    monkeypatch.setattr(local, "IDLE", 300.0)
    monkeypatch.setattr(local, "REFUSE_WITHIN", 300.0)


@pytest.mark.usefixtures("patient")
def test_a_client_that_has_gone_frees_its_place_at_once(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    def work() -> int:
        for _ in range(5 * local.MAX_CONNECTIONS):
            with connected(path) as (client,):
                client.sendall(b"GET /api/admin/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b" 404 " in client.recv(65536)
            with connected(path):
                pass  # Asks nothing, like completion that only looks whether a server is there.
        return len(Client(path).call(CALLS["user list"], {}, Options()).result["items"])

    assert served(office, path, work)


@pytest.mark.usefixtures("patient")
def test_hundreds_of_commands_at_once_are_all_answered(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    def ask(_number: int) -> str:
        try:
            Client(path).call(CALLS["user list"], {}, Options())
        except CallError as error:
            return error.kind.word
        return "served"

    def work() -> list[str]:
        with ThreadPoolExecutor(100) as pool:
            return list(pool.map(ask, range(400)))

    assert set(served(office, path, work)) <= {"served", "unavailable"}


@pytest.mark.usefixtures("patient")
def test_a_command_beyond_the_bound_is_told_so_in_a_sentence(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / "admin.sock"

    def work() -> tuple[int, int]:
        with connected(path, local.MAX_CONNECTIONS):
            crowded = main(["--dir", str(tmp_path), "user", "list"])
        return crowded, main(["--dir", str(tmp_path), "user", "list"])

    assert served(office, path, work) == (Failure.UNAVAILABLE.exit_status, 0)
    assert "64 other commands" in capsys.readouterr().err


@pytest.mark.usefixtures("patient")
def test_a_refusal_is_read_by_a_client_that_sends_much_first(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    def work() -> bytes:
        with connected(path, local.MAX_CONNECTIONS), connected(path) as (client,):
            client.sendall(b"POST /api/admin/user/import HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 4_000_000)
            return everything(client)

    answer = served(office, path, work)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ") and json.loads(body)["error"]["kind"] == "unavailable"


@pytest.mark.usefixtures("patient")
def test_clients_that_stay_after_their_refusal_keep_nobody_out(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "REFUSE_WITHIN", 0.1)
    path = tmp_path / "admin.sock"
    everybody = local.MAX_CONNECTIONS + local.MAX_REFUSALS

    def work() -> bool:
        with connected(path, everybody + 50) as clients:
            answers = [everything(client) for client in clients[local.MAX_CONNECTIONS :]]
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        return Client(path).reachable()

    assert served(office, path, work)


def test_a_client_that_never_ends_its_request_is_answered_and_loses_its_place(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "BODY_WITHIN", 0.1)
    path = tmp_path / "admin.sock"

    def work() -> bytes:
        with connected(path) as (client,):
            client.sendall(
                b"POST /api/admin/user/list HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            return everything(client)

    assert b"did not come whole" in served(office, path, work)
