"""The table of all admin calls: each noun and the modules of this package that declare its verbs, in order of help.

Modules are named, not imported: a command needs those of its own noun only, and must start in a blink.
`table.calls_of(noun)` gives the calls; a test keeps this table and the modules' declarations the same.
"""

from typing import Final

NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "status": ("server",),
    "service": ("server",),
    "config": ("configuration",),
    "domain": ("domains", "cleaning"),
    "user": ("users", "user_table", "quotas", "cleaning"),
    "alias": ("aliases",),
    "group": ("groups",),
    "queue": ("queue",),
    "task": ("tasks",),
    "store": ("store", "undelete"),
    "log": ("logs",),
    "trace": ("trace",),
}
