"""The table of all nouns of the administration, in order of help: one line for each, and nowhere else.

Modules are named, not imported: a command needs those of its own noun only, and must start in a blink.
`table.calls_of(noun)` gives the calls; a test keeps this table and the modules' declarations the same.
"""

from typing import Final

from whimbrel.services.admin.noun import Noun

TABLE: Final[tuple[Noun, ...]] = (
    Noun("status", "The running server.", ("server.status",), alone=True),
    Noun("doctor", "Health checks.", ("server.doctor",), alone=True),
    Noun("alert", "Alerts: who is told when something is wrong.", ("server.alerts",), ("alert",)),
    Noun("service", "Services and their addresses.", ("server.services",), ("service",)),
    Noun(
        "config",
        "Settings and the two configuration files.",
        ("settings.configuration", "settings.config_files"),
        ("setting",),
    ),
    Noun("ip-group", "IP groups, by which rules mean clients.", ("settings.definitions",), ("ip-group",)),
    Noun("time-interval", "Time intervals, by which rules mean times.", ("settings.definitions",), ("time-interval",)),
    Noun(
        "domain",
        "Domains.",
        ("people.domain_list", "people.domains", "people.domain_keys", "people.cleaning"),
        ("domain",),
    ),
    Noun(
        "user",
        "Users.",
        (
            "people.user_list",
            "people.users",
            "people.password_links",
            "people.sign_ins",
            "people.leaving",
            "people.removed",
            "people.user_table",
            "people.quotas",
            "people.cleaning",
        ),
        ("user",),
    ),
    Noun("alias", "Aliases, and how addresses resolve.", ("people.aliases", "people.removed"), ("alias",)),
    Noun("group", "Groups.", ("people.groups", "people.removed"), ("group",)),
    Noun("template", "Templates: values for new users.", ("people.templates",), ("template",)),
    Noun(
        "admin",
        "Access to the administration: API tokens, sessions.",
        ("access.tokens", "access.sessions"),
        ("token", "session"),
    ),
    Noun("queue", "Messages that wait to be delivered.", ("mail.queue",), ("message",)),
    Noun("task", "Deliveries under way.", ("mail.tasks",), ("task",)),
    Noun("connection", "Connections of clients at this moment.", ("server.connections",), ("connection",)),
    Noun("server", "Other servers, whose state is shown here.", ("server.servers",), ("server",)),
    Noun("stats", "Statistics.", ("server.stats",)),
    Noun("job", "What the server does by itself at times.", ("server.jobs",), ("job",)),
    Noun("operation", "Long work under way: imports, checks, rebuilds.", ("server.operation",), ("operation",)),
    Noun("store", "The mail store.", ("mail.store", "mail.space", "mail.moving", "mail.undelete")),
    Noun(
        "change",
        "Changes that were made, from what to what; and undoing them.",
        ("changes.change_list", "changes.change_undo"),
        ("change",),
    ),
    Noun("log", "Logs.", ("server.logs",)),
    Noun("test", "Tests: DNS, mail servers, TLS, delivery, our ports.", ("server.tools",)),
    Noun("trace", "A message's whole story.", ("mail.trace",), alone=True),
)
NOUNS: Final[dict[str, Noun]] = {noun.name: noun for noun in TABLE}
