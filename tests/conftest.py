"""What every test may ask for. Tests that need a program or folder say so with a marker and are never silent."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.servers import own_server, server, users

ROOT = Path(__file__).resolve().parent.parent
DEMAND = os.environ.get("WHIMBREL_DEMAND") == "1"
SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
UNPACKED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "whimbrel", "peers", "bin")
"""Programs that cannot be installed beside others (tests/peers/install.sh)."""


def program(name: str) -> str | None:
    """The path of a program, also from the folders that only root has in its PATH, and of one that is only unpacked."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join((*SBIN, str(UNPACKED))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    corpus = os.environ.get("WHIMBREL_CORPUS", "")
    for item in items:
        missing = [f"the program {m.args[0]} is not installed (make peers)"
                   for m in item.iter_markers("peer") if program(m.args[0]) is None]  # fmt: skip
        if item.get_closest_marker("corpus") and not Path(corpus, "index.json").is_file():
            missing.append("WHIMBREL_CORPUS does not name the folder of mails")
        if item.get_closest_marker("root") and os.geteuid() != 0:
            missing.append("needs root")
        if missing and not DEMAND:
            item.add_marker(pytest.mark.skip(reason="; ".join(missing)))


@pytest.fixture(scope="session")
def corpus() -> dict[str, bytes]:
    """The real mails, by name."""
    folder = Path(os.environ["WHIMBREL_CORPUS"])
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.eml"))}


__all__ = ["own_server", "server", "users"]
