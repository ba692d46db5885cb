"""Every event that is logged: in which log, under which heading, with which fields, and what it means.

An event that is not here is never lost: it goes by its level (`BY_LEVEL`). `{service}` in a title is the service's
name; fields that are not declared follow those that are. What is logged as an error stands in the error log too.
"""

from typing import Final

from whimbrel.core.log import LogEvent

LOGS: Final = ("mail", "security", "warning", "error", "debug", "config", "operations", "spam")
BY_LEVEL: Final = {"debug": "debug", "info": "operations", "warning": "warning", "error": "error"}

_RECEIVED = ("queue_id", "service", "from_", "to", "size", "user", "sender_host", "tls")
_SENT = ("queue_id", "recipient", "result", "status", "remote", "tls")
_REFUSED = ("queue_id", "service", "from_", "recipient", "user", "sender_host", "status")
_SIGN_IN = ("user", "sender_host", "method")

_E = LogEvent
EVENTS: Final[tuple[LogEvent, ...]] = (
    # Mail
    _E("message.received", "mail", "Recv", "A message was accepted; from here on it is ours.", _RECEIVED),
    _E(
        "delivery.sent",
        "mail",
        "Sent",
        "How the delivery to one recipient ended, or that it will be tried again.",
        _SENT,
    ),
    _E("message.refused", "mail", "Refused", "A message, or a whole transaction, was not accepted.", _REFUSED),
    _E("rcpt.refused", "mail", "Refused recipient", "A recipient was not accepted.", _REFUSED),
    _E(
        "message.discarded",
        "mail",
        "Discarded",
        "A rule named here dropped a message without telling its sender.",
        _REFUSED,
    ),
    _E("queue.changed", "mail", "Queue", "Somebody held, released, tried or deleted entries of the queue."),
    # Security
    _E("signin.failed", "security", "Failed {service} login", "A wrong name or password.", _SIGN_IN),
    _E("signin.ok", "security", "{service} login", "Somebody signed in.", _SIGN_IN),
    _E(
        "signin.locked",
        "security",
        "Locked {service} login",
        "Too many failures: refused unasked for a while.",
        _SIGN_IN,
    ),
    _E("relay.denied", "security", "Relay denied", "A stranger wanted mail passed on.", _REFUSED),
    _E(
        "connection.limit",
        "security",
        "Connection limit",
        "A connection was refused: there are too many.",
        ("service", "sender_host", "connections"),
    ),
    _E(
        "session.too_many_errors",
        "security",
        "Too many errors",
        "A session was ended after too many bad commands.",
        ("service", "sender_host", "failures"),
    ),
    _E(
        "admin.refused",
        "security",
        "Administration refused",
        "Somebody without the right to it asked for an admin call.",
        ("user",),
    ),
    # Configuration
    _E("config.changed", "config", "Changed", "Settings were changed.", ("user", "paths")),
    _E(
        "config.directory",
        "config",
        "Directory",
        "A domain, user, alias or group was changed.",
        ("action", "kind", "name"),
    ),
    _E(
        "config.unknown",
        "warning",
        "Unknown setting",
        "The file holds a setting that this release does not know.",
        ("path", "line"),
    ),
    _E("config.refused", "error", "Configuration refused", "The file cannot be used; the one before stays in use."),
    _E(
        "admin.call",
        "config",
        "Administration",
        "An admin call that changes something was made.",
        ("call", "user", "name"),
    ),
    _E(
        "admin.failed", "error", "Administration failed", "An admin call met an error of the machine.", ("call", "user")
    ),
    _E("admin.crashed", "error", "Administration crashed", "An admin call met a bug of ours.", ("call", "user")),
    # Operations
    _E("server.started", "operations", "Server started", "The server, or one of its processes, is up.", ("process",)),
    _E(
        "server.stopped",
        "operations",
        "Server stopped",
        "The server, or one of its processes, ended as told.",
        ("process",),
    ),
    _E(
        "server.died",
        "error",
        "Process died",
        "A process ended unexpectedly and is started again.",
        ("process", "status"),
    ),
    _E("service.started", "operations", "Service started", "A service listens.", ("service", "address")),
    _E("service.stopped", "operations", "Service stopped", "A service does not listen any more.", ("service",)),
    _E(
        "tls.certificate-made",
        "operations",
        "Certificate made",
        "A self-signed certificate was made.",
        ("name", "file"),
    ),
    _E("tls.certificate-loaded", "operations", "Certificate loaded", "A changed certificate is in use.", ("file",)),
    _E("log.rotated", "operations", "Log rotated", "A log file was put aside.", ("log",)),
    _E(
        "store.rebuilt",
        "operations",
        "Folder rebuilt",
        "A folder's index was made anew from its messages.",
        ("account", "folder", "messages", "added", "missing", "seconds"),
    ),
    _E("store.restored", "operations", "Store restored", "After a failed sync the store was checked and serves again."),
    _E(
        "store.file-added",
        "operations",
        "Message found",
        "A file without an index entry became a message.",
        ("folder", "uid"),
    ),
    # Warnings
    _E(
        "log.dropped",
        "warning",
        "Log records dropped",
        "Records came faster than they could be written, or the disk failed.",
        ("log", "count", "reason"),
    ),
    _E(
        "filter.down",
        "warning",
        "Filter down",
        "A filter could not answer and was passed over.",
        ("filter", "queue_id", "status"),
    ),
    _E("filter.late", "warning", "Filters late", "The filters did not end in time.", ("queue_id", "stage", "seconds")),
    _E(
        "delivery.tls-failed",
        "warning",
        "TLS failed",
        "TLS to another server failed.",
        ("queue_id", "remote", "status"),
    ),
    _E(
        "queue.lost",
        "warning",
        "Queue file lost",
        "A file in the queue's folder belongs to no entry.",
        ("queue_id", "size"),
    ),
    _E(
        "store.tree-rebuilt",
        "warning",
        "Folder list rebuilt",
        "An account's folder list was made anew from its folders.",
        ("account", "folders"),
    ),
    _E(
        "store.message-gone",
        "warning",
        "Message gone",
        "A message's file was deleted by another program or a person.",
        ("folder", "uid"),
    ),
    _E(
        "store.file-found",
        "warning",
        "File found",
        "A file appeared in a folder and became a message.",
        ("folder", "uid"),
    ),
    _E(
        "store.file-lost",
        "warning",
        "File set aside",
        "A file whose story is unclear went to #lost.",
        ("folder", "uid"),
    ),
    _E("store.unreadable", "warning", "File unreadable", "A message's file could not be read.", ("file", "error")),
    _E(
        "imap.sync_failed",
        "warning",
        "Folder not synchronised",
        "An IMAP session could not read what changed.",
        ("status",),
    ),
    _E(
        "imap.folders_failed",
        "warning",
        "Folder list not read",
        "An IMAP session could not read the folder list.",
        ("status",),
    ),
    _E(
        "imap.refused", "warning", "Refused by the store", "An IMAP command failed in the store.", ("command", "detail")
    ),
    # Errors
    _E(
        "session.crashed",
        "error",
        "Session crashed",
        "A session met a bug of ours; the other sessions go on.",
        ("service", "session_id", "sender_host", "command"),
    ),
    _E(
        "delivery.crashed",
        "error",
        "Delivery crashed",
        "A delivery met a bug of ours and is tried again.",
        ("queue_id",),
    ),
    _E(
        "delivery.sign-in-failed",
        "error",
        "Relay login failed",
        "The relay host does not take our name and password.",
        ("remote", "status"),
    ),
    _E(
        "accept.failed",
        "error",
        "Accepting failed",
        "The system refused a connection: too many files, no memory.",
        ("service", "error"),
    ),
    _E(
        "queue.content-missing",
        "error",
        "Queue content missing",
        "A waiting message's file is gone or cut short.",
        ("queue_id", "size", "found"),
    ),
    _E("store.failed", "error", "Store failed", "A part of the store met an unexpected error.", ("account", "shard")),
    _E(
        "store.poisoned",
        "error",
        "Store poisoned",
        "A sync failed: nothing is acknowledged until the store was checked.",
        ("error",),
    ),
    _E("store.restore-failed", "error", "Store not restored", "The check after a failed sync failed.", ("shard",)),
    _E(
        "state.failed",
        "error",
        "State not saved",
        "What changes by itself (lock-outs, receipts) could not be saved.",
        ("error",),
    ),
    _E(
        "state.damaged",
        "error",
        "State damaged",
        "state.db could not be read; it was put aside and begun anew.",
        ("file", "error"),
    ),
    _E("tls.certificate-unusable", "error", "Certificate unusable", "The one before stays in use.", ("file", "reason")),
    _E("server.no_certificate", "error", "No certificate", "TLS cannot be offered."),
    # Debug
    _E("delivery.tls", "debug", "TLS", "TLS to another server.", ("queue_id", "remote", "tls", "verified")),
    _E(
        "dns.failed",
        "debug",
        "Look-up failed",
        "A name server did not answer as it should.",
        ("name", "type", "reason"),
    ),
    _E("imap.client", "debug", "IMAP client", "What a client calls itself.", ("name", "version")),
    _E("smtp.tls_failed", "debug", "TLS failed", "A client's TLS handshake failed.", ("error",)),
)

BY_NAME: Final = {event.name: event for event in EVENTS}
