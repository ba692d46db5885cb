"""Two names on disk change places in one step, where the kernel can (Linux: renameat2)."""

import ctypes
import errno
import os
import sys
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_EXCHANGE: Final = 2
_CANNOT: Final = (errno.ENOSYS, errno.EINVAL, errno.EPERM)


def exchange(one: Path, other: Path) -> None:
    """Both must exist. Elsewhere than on Linux there is a moment in which `one` has no name. OSError."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        call = getattr(libc, "renameat2", None)
        if call is not None:
            if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
                return
            code = ctypes.get_errno()
            if code not in _CANNOT:
                raise OSError(code, os.strerror(code), str(one))
    aside = one.with_name(f"#exchange-{one.name}")
    os.rename(one, aside)
    os.rename(other, one)
    os.rename(aside, other)
