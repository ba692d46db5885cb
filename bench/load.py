"""The load: Postfix's smtp-source, 20 sessions at once over 100 users."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor


def send(
    port: int, users: int, each: int, *, sessions: int = 20, size: int = 4096, domain: str = "example.test"
) -> float:
    """`each` messages of `size` bytes to each of user1..userN, a new connection for each; seconds. RuntimeError when
    the server refused any."""

    def one(number: int) -> None:
        command = ["smtp-source", "-s", "1", "-m", str(each), "-l", str(size), "-f", "sender@else.test"]
        command += ["-t", f"user{number}@{domain}", f"127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)

    start = time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        list(pool.map(one, range(1, users + 1)))
    return time.monotonic() - start
