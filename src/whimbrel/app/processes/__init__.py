"""The table of the processes of a server beside supervisor and zygote. `app/services.py` says which services each has.

Control comes first: it makes users.idx that of the file, and the certificate, before anybody serves.
"""

from typing import Final

from whimbrel.app.processes.control import controlling
from whimbrel.app.processes.process import Process, each_core
from whimbrel.app.processes.queue import sending
from whimbrel.core.notices import CONFIG, FOLDER, QUEUE, USERS

PROCESSES: Final = (
    Process(name="control", slots=range(0xC1, 0xC2), topics=(FOLDER,), parts=(controlling,), alone=True),
    Process(
        name="queue",
        slots=range(0x81, 0x82),
        topics=(QUEUE, CONFIG, USERS),
        parts=(sending,),
        after=("control",),
        alone=True,
    ),
    Process(name="web", slots=range(0x91, 0x93), topics=(CONFIG,), after=("control",), needed=False),
    Process(name="mail", slots=range(0x01, 0x81), topics=(FOLDER, CONFIG, USERS), after=("control",), count=each_core),
)
