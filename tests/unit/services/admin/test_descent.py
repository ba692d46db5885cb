"""Who comes from this server's first process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whimbrel.services.admin.descent import lineage, of_this_server

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")

FAMILY = """
# A supervisor forks a zygote, which forks a worker (1) and control; the worker has started a program (2).
import os, sys, time
from whimbrel.services.admin.descent import of_this_server
outsider = int(sys.argv[1])

def fork(work):
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return pid

def worker(write):
    os.write(write, b"%d\\n" % fork(lambda: time.sleep(60)))
    time.sleep(60)

def zygote():
    read, write = os.pipe()
    first = fork(lambda: worker(write))
    program = int(os.read(read, 20))
    gone = fork(lambda: None)
    os.waitpid(gone, 0)
    control = fork(lambda: print([of_this_server(each) for each in (
        first, program, os.getpid(), os.getppid(), os.getppid(), gone, outsider)], flush=True))
    os.waitpid(control, 0)
    for each in (first, program):
        os.kill(each, 9)

os.waitpid(fork(zygote), 0)
"""


def test_workers_and_what_they_start_are_of_this_server_and_a_shell_is_not() -> None:
    done = subprocess.run([sys.executable, "-c", FAMILY, str(os.getpid())], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[True] * 6 + [False]}\n", done.stderr


def test_the_line_of_a_process_goes_up_to_the_first() -> None:
    line = list(lineage(os.getpid()))
    assert line[:2] == [os.getpid(), os.getppid()]
    assert list(lineage(2**22 + 1)) == []


def test_a_process_whose_name_is_like_the_file_is_read_all_the_same() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm','w').write(') R 1 (');input()"], stdin=subprocess.PIPE
    ) as child:
        while Path(f"/proc/{child.pid}/comm").read_text() != ") R 1 (\n":
            assert child.poll() is None
        assert list(lineage(child.pid))[:2] == [child.pid, os.getpid()]
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.close()


def test_one_that_has_gone_counts_as_ours() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert of_this_server(child.pid)
