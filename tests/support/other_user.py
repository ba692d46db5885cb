"""Running the server as another user: a folder that may be entered, and an interpreter that may be run."""

import pwd
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.server import ROOT

OTHER = "nobody"


def user() -> pwd.struct_passwd:
    return pwd.getpwnam(OTHER)


def program(folder: Path) -> str | None:
    """An interpreter with all that the server needs, which `OTHER` may run; made in `folder`. None: there is none."""
    for candidate in (str(Path(sys.executable).resolve()), "/usr/bin/python3"):
        check = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        try:
            done = subprocess.run(
                [candidate, "-c", check], user=user().pw_uid, group=user().pw_gid, cwd="/", check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return _environment(candidate, folder / "venv")
    return None


def _environment(candidate: str, folder: Path) -> str:
    subprocess.run([candidate, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "whimbrel.pth").write_text(f"{ROOT / 'src'}\n{sysconfig.get_path('purelib')}\n")
    return str(folder / "bin" / "python")
