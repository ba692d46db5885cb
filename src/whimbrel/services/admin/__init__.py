"""The table of all nouns of the administration, in order of help: one line for each, and nowhere else.

Modules are named, not imported: a command needs those of its own noun only, and must start in a blink.
`table.calls_of(noun)` gives the calls; a test keeps this table and the modules' declarations the same.
"""

from typing import Final

from whimbrel.services.admin.noun import Noun

TABLE: Final[tuple[Noun, ...]] = (
    Noun("status", "The running server.", ("server",), alone=True),
    Noun("doctor", "Health checks.", ("doctor",), alone=True),
    Noun("alert", "Alerts: who is told when something is wrong.", ("alerts",), ("alert",)),
    Noun("service", "Services and their addresses.", ("services",), ("service",)),
    Noun("config", "Settings and the two configuration files.", ("configuration", "config_files"), ("setting",)),
    Noun("domain", "Domains.", ("domains", "cleaning"), ("domain",)),
    Noun("user", "Users.", ("user_list", "users", "removed", "user_table", "quotas", "cleaning"), ("user",)),
    Noun("alias", "Aliases, and how addresses resolve.", ("aliases", "removed"), ("alias",)),
    Noun("group", "Groups.", ("groups", "removed"), ("group",)),
    Noun("admin", "Access to the administration: API tokens, sessions.", ("tokens", "sessions"), ("token", "session")),
    Noun("queue", "Messages that wait to be delivered.", ("queue",), ("message",)),
    Noun("task", "Deliveries under way.", ("tasks",), ("task",)),
    Noun("connection", "Connections of clients at this moment.", ("connections",), ("connection",)),
    Noun("stats", "Statistics.", ("stats",)),
    Noun("job", "What the server does by itself at times.", ("jobs",), ("job",)),
    Noun("operation", "Long work under way: imports, checks, rebuilds.", ("operation",), ("operation",)),
    Noun("store", "The mail store.", ("store", "undelete")),
    Noun(
        "change",
        "Changes that were made, from what to what; and undoing them.",
        ("change_list", "change_undo"),
        ("change",),
    ),
    Noun("log", "Logs.", ("logs",)),
    Noun("test", "Tests: DNS, mail servers, TLS, delivery, our ports.", ("tools",)),
    Noun("trace", "A message's whole story.", ("trace",), alone=True),
)
NOUNS: Final[dict[str, Noun]] = {noun.name: noun for noun in TABLE}
