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


def exchange(first: Path, second: Path) -> None:
    """Both must exist. Elsewhere than on Linux there is a moment in which `first` has no name. OSError."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        call = getattr(libc, "renameat2", None)
        if call is not None:
            if call(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _EXCHANGE) == 0:
                return
            code = ctypes.get_errno()
            if code not in _CANNOT:
                raise OSError(code, os.strerror(code), str(first))
    aside = first.with_name(f"#exchange-{first.name}")
    os.rename(first, aside)
    os.rename(second, first)
    os.rename(aside, second)
