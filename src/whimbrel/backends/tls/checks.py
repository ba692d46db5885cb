"""Cross-checks of the certificate: is it there, can it be read, does the key belong to it.

`backends/tls/contexts.py` says what is wrong; it is loaded only when there is a certificate to look at.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.core.settings import Concern, Gravity, Whole

if TYPE_CHECKING:
    from whimbrel.backends.tls.settings import TlsSettings

CERTIFICATE, KEY, AUTHORITIES = "tls/certificate", "tls/private-key", "tls/authorities"


def certificate(settings: "TlsSettings", whole: Whole) -> Iterator[Concern]:
    """What keeps the server from showing the certificate that is set."""
    if settings.private_key and not settings.certificate:
        yield Concern(KEY, "is used only with tls/certificate, which is not set")
    named = [(CERTIFICATE, settings.certificate), (KEY, settings.private_key), (AUTHORITIES, settings.authorities)]
    for host in settings.hosts:
        path = f"tls/host[{host.name}]"
        if not host.certificate:
            yield Concern(f"{path}/certificate", "names no file", Gravity.WRONG)
            return
        named += [(f"{path}/certificate", host.certificate), (f"{path}/private-key", host.private_key)]
    unread = [Concern(path, text, Gravity.WRONG) for path, file in named if file and (text := _unreadable(file, whole))]
    yield from unread
    if unread or not (settings.certificate or settings.hosts):
        return
    from whimbrel.backends.tls.contexts import check

    try:
        check(settings)
    except ValueError as error:
        yield Concern(KEY if settings.private_key else CERTIFICATE, str(error), Gravity.WRONG)


def _unreadable(file: str, whole: Whole) -> str:
    """Why the server could not read `file`; empty if it can."""
    if not os.path.isabs(file):
        return f"write the whole path of the file: {Path(whole.folder, file)}"
    path = Path(file)
    try:
        with path.open("rb") as opened:
            found = os.fstat(opened.fileno())
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no file"
    return ""
