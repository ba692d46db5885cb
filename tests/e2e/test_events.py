"""The event stream and the metrics of a real server, as a browser and Prometheus have them."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import HOST, ConsoleClient
from tests.support.mail import letter, send
from tests.support.server import PASSWORD, Running, command, free_ports, serving, set_up


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("events") / "server"
    set_up(directory, 1, free_ports(["smtp", "imap"]), {"security/failure-delay": "0s", "server/mail-workers": "1"})
    with serving(directory) as running:
        yield running


class Stream:
    """One request that goes on, over the console's socket."""

    def __init__(self, client: ConsoleClient, path: str) -> None:
        self.connection = http.client.HTTPConnection("localhost", timeout=30)
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.settimeout(30)
        self.connection.sock.connect(str(Path(client.directory) / "run" / "console.sock"))
        headers = {"Host": HOST, "Whimbrel-Client": client.ip, "Cookie": client.cookie}
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()

    def until(self, topic: str, **wanted: object) -> Any:
        """The data of the next event of a topic that has these values."""
        name = ""
        for raw in self.response:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == topic:
                data = json.loads(line.removeprefix("data: "))
                if all(data.get(key) == value for key, value in wanted.items()):
                    return data
        pytest.fail(f"the stream ended without {topic}")

    def close(self) -> None:
        self.connection.close()


def test_a_browser_sees_live_what_happens(server: Running) -> None:
    client = ConsoleClient(server.directory)
    assert client.sign_in("admin@example.test", PASSWORD) == 200
    topics = "counters,queue,tasks,connections,services,operations,health,config,log:mail,log:security,session"
    stream = Stream(client, f"/api/events?topics={topics}")
    assert stream.response.status == 200
    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream.until("session")["expires"]
    for topic in ("counters", "queue", "tasks", "connections", "services", "operations", "health"):
        assert "error" not in stream.until(topic), topic
    stream.close()
    stream = Stream(client, "/api/events?topics=log:mail,connections,counters,config,services")
    stream.until("connections", total=0)
    stream.until("counters")
    with socket.create_connection(("127.0.0.1", server.ports["smtp"]), timeout=20):
        data = stream.until("connections", total=1)
        assert data["items"][0]["service"] == "smtp"
    send(server, "user1@example.test", letter("live"))
    lines = stream.until("log:mail")["lines"]
    assert lines[0]["title"] == "Recv" and "user1@example.test" in lines[0]["text"]
    while not stream.until("counters")["today"]["received"]:
        pass
    command(server.directory, "config", "set", "smtp/log-subject", "yes")
    assert stream.until("config")["lines"][0]["fields"]["Setting"] == "smtp/log-subject"
    command(server.directory, "service", "stop", "imap", "--yes")
    while {row["service"]: row["state"] for row in stream.until("services")["items"]}["imap"] != "stopped":
        pass
    stream.close()


def test_a_failed_start_tells_its_reason_to_the_caller_and_as_an_event(server: Running) -> None:
    client = ConsoleClient(server.directory)
    assert client.sign_in("admin@example.test", PASSWORD) == 200
    command(server.directory, "service", "stop", "imap", "--yes")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", server.ports["imap"]))
        other.listen()
        stream = Stream(client, "/api/events?topics=services,log:error")
        stream.until("services")
        row = json.loads(command(server.directory, "service", "start", "imap", "--json"))
        assert row["state"] == "refused" and f":{server.ports['imap']}" in row["detail"]
        assert "in use" in row["detail"] or "held by" in row["detail"]
        assert client.ask("POST", "/api/admin/service/restart", {"name": "imap"})[1]["result"]["state"] == "refused"
        while {each["service"]: each["state"] for each in stream.until("services")["items"]}["imap"] != "refused":
            pass
        stream.close()
    command(server.directory, "service", "restart", "imap", "--yes")


def test_a_stream_ends_with_its_session(server: Running) -> None:
    client = ConsoleClient(server.directory)
    assert client.sign_in("admin@example.test", PASSWORD) == 200
    stream = Stream(client, "/api/events?topics=session,counters")
    stream.until("counters")
    assert client.ask("DELETE", "/api/session")[0] == 204
    assert stream.until("session", ended=True) == {"ended": True}
    assert stream.response.read().strip() == b""
    assert Stream(client, "/api/events?topics=counters").response.status == 401


def test_metrics_are_for_who_may_see_the_server(server: Running) -> None:
    client = ConsoleClient(server.directory)
    assert client.sign_in("admin@example.test", PASSWORD) == 200
    answer = Stream(client, "/metrics").response
    text = answer.read().decode()
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'whimbrel_messages_received_total{service="smtp"}' in text
    assert Stream(ConsoleClient(server.directory), "/metrics").response.status == 401
