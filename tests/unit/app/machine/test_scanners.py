"""Programs that look at the files of the store are seen by their names and by what they watch."""

import os
from pathlib import Path

from whimbrel.app.machine.scanners import scanners


def process(proc: Path, pid: int, name: str, *, fanotify: str = "") -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "fdinfo").mkdir()
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    if fanotify:
        (proc / str(pid) / "fd" / "5").symlink_to("anon_inode:[fanotify]")
        (proc / str(pid) / "fdinfo" / "5").write_text(
            f"pos:\t0\nflags:\t02\nfanotify flags:0 event-flags:0\n{fanotify}\n"
        )


def test_known_scanners_are_seen_by_their_names(tmp_path: Path) -> None:
    process(tmp_path / "proc", 10, "clamonacc")
    process(tmp_path / "proc", 11, "bash")
    (tmp_path / "proc" / "12").mkdir()  # It ended meanwhile.
    (seen,) = scanners(tmp_path, tmp_path / "proc")
    assert (seen.product, seen.pid, seen.watches) == ("ClamAV on access", 10, False)


def test_a_program_that_watches_the_file_system_of_the_store_is_seen_whatever_its_name(tmp_path: Path) -> None:
    device = os.stat(tmp_path).st_dev
    here = (os.major(device) << 20) | os.minor(device)
    process(tmp_path / "proc", 10, "secretd", fanotify=f"fanotify sdev:{here:x} mflags:0 mask:1 ignored_mask:0")
    process(tmp_path / "proc", 11, "elsewhere", fanotify=f"fanotify sdev:{here + 1:x} mflags:0 mask:1 ignored_mask:0")
    (seen,) = scanners(tmp_path, tmp_path / "proc")
    assert (seen.process, seen.watches) == ("secretd", True)


def test_a_system_without_proc_has_none(tmp_path: Path) -> None:
    assert scanners(tmp_path, tmp_path / "none") == ()
