"""A client of `run/console.sock` that does what the web worker does: for end-to-end tests."""

import http.client
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "localhost:44337"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


@dataclass
class ConsoleClient:
    """One browser, or with `token` one program."""

    directory: Path
    ip: str = "192.0.2.7"
    token: str = ""
    id: str = ""
    cookie: str = ""
    """What it sends back of Set-Cookie."""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status, and the JSON of the answer (None: there is none)."""
        own = {"Host": HOST, "Whimbrel-Client": self.ip}
        if self.token:
            own["Authorization"] = f"Bearer {self.token}"
        else:
            own |= {"Origin": f"https://{HOST}", "Cookie": self.cookie, "X-CSRF-Token": self.csrf}
        connection = _Connection(self.directory / "run" / "console.sock")
        content: Any
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json", **own, **headers})
            response = connection.getresponse()
            text = response.read()
            if cookie := response.headers.get("Set-Cookie"):
                self.cookie = cookie.partition(";")[0]
                self.id = self.cookie.partition("=")[2].strip('"')
        finally:
            connection.close()
        if "ndjson" in response.headers.get("Content-Type", ""):
            return response.status, [json.loads(line) for line in text.decode().splitlines()]
        content = json.loads(text) if text else None
        if path == "/api/session" and response.status == 200:
            self.csrf = content["result"]["csrf"]
        return response.status, content

    def sign_in(self, name: str, password: str) -> int:
        return self.ask("POST", "/api/session", {"name": name, "password": password})[0]
