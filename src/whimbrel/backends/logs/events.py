"""Every event that is logged: in which log, under which heading, with which fields, and what it means.

An event that is not here is never lost: it goes by its level (`BY_LEVEL`). `{service}` in a title is the service's
name; fields that are not declared follow those that are. What is logged as an error stands in the error log too.
"""

from typing import Final

from whimbrel.core.log import LogEvent

LOGS: Final = ("mail", "security", "warning", "error", "debug", "config", "operations", "spam")
BY_LEVEL: Final = {"debug": "debug", "info": "operations", "warning": "warning", "error": "error"}

_RECEIVED = "queue_id service from_ to size user sender_host tls"
_SENT = "queue_id recipient mailbox folder result status remote tls cipher verified"
_REFUSED = "queue_id service from_ to recipient user sender_host status"
_SIGN_IN = "user sender_host method"

_TABLE: Final = (
    # (event, log, title, fields, what it means)
    ("message.received", "mail", "Recv", _RECEIVED, "A message was accepted; from here on it is ours."),
    ("delivery.sent", "mail", "Sent", _SENT,
     "How a delivery to one recipient ended, or that it will be tried again; of a mailbox here, for each folder."),
    ("message.named", "mail", "Message", "queue_id message_id subject",
     "The Message-ID of a message that was accepted, and its subject if smtp/log-subject is on."),
    ("message.refused", "mail", "Refused", _REFUSED, "A message, or a whole transaction, was not accepted."),
    ("rcpt.refused", "mail", "Refused recipient", _REFUSED, "A recipient was not accepted."),
    ("message.repeated", "mail", "Repeated", "queue_id before sender_host",
     "The same message once more, after an answer the client did not see; not delivered again."),
    ("message.unwelcome", "mail", "Unwelcome", "queue_id cause rule",
     "The filters would have refused it, but it had been accepted before they ended: to Junk, or held in the queue."),
    ("message.caused", "mail", "Caused", "queue_id cause", "A message of ours, and the one it came from."),
    ("report.sent", "mail", "Report", "queue_id report to result recipients", "A delivery report was made."),

    ("signin.failed", "security", "Failed {service} login", f"{_SIGN_IN} reason",
     "Somebody did not prove to be a user; the client is told no reason."),
    ("signin.ended", "security", "Ended {service} session", "user sender_host reason",
     "An open session's sign-in counts no more: the user was removed or disabled, or has another password."),
    ("signin.not-renewed", "warning", "Session not renewed", "user detail",
     "The directory could not be asked whether the user is still there; the session asks again."),
    ("signin.not-upgraded", "error", "Password not stored anew", "user", "It is tried again at the next sign-in."),
    ("signin.ok", "security", "{service} login", _SIGN_IN, "Somebody signed in."),
    ("signin.locked", "security", "Locked {service} login", _SIGN_IN, "Too many failures: refused for a while."),
    ("relay.denied", "security", "Relay denied", _REFUSED, "A stranger wanted mail passed on."),
    ("connection.limit", "security", "Connection limit", "service sender_host connections",
     "A connection was refused: there are too many."),
    ("session.too_many_errors", "security", "Too many errors", "service sender_host failures",
     "A session was ended after too many bad commands."),
    ("admin.refused", "security", "Administration refused", "user socket", "Somebody without the right asked for it."),

    ("config.changed", "config", "Changed", "user paths", "Settings were changed."),
    ("config.directory", "config", "Directory", "action kind name", "A domain, user, alias or group was changed."),
    ("admin.call", "config", "Administration", "call user name", "An admin call that changes something was made."),

    ("server.started", "operations", "Server started", "process", "A process of the server is up."),
    ("server.stopping", "operations", "Server stops", "process", "A process of the server ends as it was told."),
    ("queue.recovered", "operations", "Queue recovered", "entries", "Entries were put right after an unclean stop."),
    ("quota.near", "operations", "Mailbox nearly full", "account percent size messages",
     "A mailbox came to the percentage at which its user is warned."),
    ("quota.full", "operations", "Mailbox full", "account percent size messages", "A mailbox takes no more mail."),
    ("quota.relieved", "operations", "Mailbox has room", "account percent", "It was nearly full, and is no more."),
    ("cleanout.done", "operations", "Cleaned out", "account folder messages",
     "A clean-out rule deleted old messages of one folder."),
    ("cleanout.ended", "operations", "Clean-out ended", "accounts messages", "The daily round of clean-out is over."),
    ("signin.upgraded", "operations", "Verifiers renewed", "users",
     "Verifiers of passwords with today's parameters were put into the users' file."),
    ("pop3.deleted", "operations", "Deleted", "service user messages", "A POP3 session deleted messages at its end."),
    ("tls.certificate-made", "operations", "Certificate made", "name file", "A self-signed certificate was made."),
    ("tls.certificate-loaded", "operations", "Certificate loaded", "file", "A changed certificate is in use."),
    ("delivery.paused", "operations", "Destination paused", "destination seconds status remote",
     "It does not answer: its mail waits so long before one delivery tries again."),
    ("log.rotated", "operations", "Log rotated", "log", "A log file was put aside."),
    ("space.enough", "operations", "Disk space enough", "folder free", "There is room again; mail is taken in."),
    ("store.rebuilt", "operations", "Folder rebuilt", "account folder messages added missing seconds",
     "A folder's index was made anew from its messages."),
    ("store.restored", "operations", "Store restored", "", "After a failed sync it was checked and serves again."),
    ("store.purged", "operations", "Purged", "messages bytes", "Deleted mail was kept long enough; now it is gone."),
    ("store.undeleted", "operations", "Deleted mail handled", "account what messages",
     "Somebody restored deleted mail, or removed it for good."),
    ("store.looked-after", "operations", "Store looked after", "folders",
     "A round of self-checks over all folders ended."),
    ("store.file-added", "operations", "Message found", "folder uid", "A file without an index row became a message."),

    ("config.unknown", "warning", "Unknown setting", "path line", "The file holds what this release does not know."),
    ("log.dropped", "warning", "Log records dropped", "log count reason",
     "Records came faster than they could be written, or the disk failed."),
    ("log.repeated", "warning", "Repeated", "event count seconds", "Records that came too often and were not written."),
    ("log.syslog-down", "warning", "Syslog not reached", "server reason", "Copies wait until it can be reached."),
    ("log.syslog-dropped", "warning", "Syslog copies dropped", "server count",
     "It could not be reached for too long; our own files have them."),
    ("log.index-damaged", "warning", "Log index damaged", "file", "It was removed; a new one is made."),
    ("space.notice-failed", "warning", "Notice not sent", "recipient status", "Nobody was told that space is low."),
    ("space.low", "warning", "Disk space low", "folder free limit", "Below the soft limit: make room soon."),
    ("store.made-room", "warning", "Deleted mail made room", "messages bytes",
     "Disk space is below the soft limit: deleted mail went before its time, the oldest first."),
    ("filter.down", "warning", "Filter down", "filter queue_id status", "A filter gave no answer; mail went past it."),
    ("filter.late", "warning", "Filters late", "queue_id stage seconds", "The filters did not end in time."),
    ("delivery.copy-failed", "warning", "Copy failed", "queue_id mailbox folder status",
     "One of several folders could not take the message at all; another has it."),
    ("delivery.tls-failed", "warning", "TLS failed", "queue_id remote status", "TLS to another server failed."),
    ("queue.failed", "warning", "Queue not written", "queue_id status", "An entry could not be kept; tried again."),
    ("queue.lost", "warning", "Queue file lost", "queue_id size", "A file in the queue's folder belongs to no entry."),
    ("report.failed", "warning", "Report failed", "queue_id status", "A report could not be made now; tried again."),
    ("report.undeliverable", "warning", "Report undeliverable", "queue_id recipient status",
     "Nobody can be told that a delivery failed."),
    ("store.counters-wrong", "warning", "Counters wrong", "account folder",
     "A self-check found it; the index is rebuilt."),
    ("store.tree-rebuilt", "warning", "Folder list rebuilt", "account folders",
     "An account's folder list was made anew from its folders."),
    ("store.message-gone", "warning", "Message gone", "folder uid", "Another program or a person deleted its file."),
    ("store.file-found", "warning", "File found", "folder uid", "A file appeared in a folder and became a message."),
    ("store.file-lost", "warning", "File set aside", "folder uid", "A file whose story is unclear went to #lost."),
    ("store.unreadable", "warning", "File unreadable", "file error", "A message's file could not be read."),
    ("imap.sync_failed", "warning", "Folder not synchronised", "status", "A session could not read what changed."),
    ("imap.folders_failed", "warning", "Folder list not read", "status", "A session could not read the folder list."),
    ("imap.unreadable", "warning", "Messages not readable", "uids mailbox", "Files of messages could not be read."),
    ("imap.refused", "warning", "Refused by the store", "command status detail", "A command failed in the store."),
    ("cleanout.failed", "warning", "Clean-out failed", "account status", "Tried again at the next clean-out."),
    ("quota.warning-failed", "warning", "Quota warning failed", "account status",
     "A user could not be told that the mailbox is nearly full."),
    ("pop3.refused", "warning", "Refused by the store", "status detail", "A command failed in the store."),

    ("session.crashed", "error", "Session crashed", "service session_id sender_host command",
     "A session met a bug of ours; the other sessions go on."),
    ("delivery.crashed", "error", "Delivery crashed", "queue_id", "A delivery met a bug of ours; it is tried again."),
    ("delivery.sign-in-failed", "error", "Relay login failed", "remote status",
     "The relay host does not take our name and password."),
    ("accept.failed", "error", "Accepting failed", "service error", "The system refused: too many files, no memory."),
    ("config.refused", "error", "Configuration refused", "error", "It cannot be used; the one before stays in use."),
    ("config.not-written", "error", "users.cfg not written", "path error",
     "Changes are in force and safe in users.cfg.changes; writing them into users.cfg is tried again."),
    ("config.changes-aside", "error", "Changes set aside", "count path names reason",
     "Changes were acknowledged, but users.cfg is no longer the file they were made for; make them again if wanted."),
    ("admin.failed", "error", "Administration failed", "call user error", "A call met an error of the machine."),
    ("admin.crashed", "error", "Administration crashed", "call user", "An admin call met a bug of ours."),
    ("job.failed", "error", "Job failed", "job status", "A job on a schedule did not get through; it is tried again."),
    ("job.crashed", "error", "Job crashed", "job", "A job on a schedule met a bug of ours; it is tried again."),
    ("pop3.broken", "error", "Message broken off", "service user detail", "A message could not be read to its end."),
    ("queue.stalled", "error", "Queue stalled", "",
     "The queue could not be read or written, so nothing new is sent; tried again every few seconds."),
    ("queue.content-missing", "error", "Queue content missing", "queue_id size found",
     "A waiting message's file is gone or cut short."),
    ("store.failed", "error", "Store failed", "account shard", "A part of the store met an unexpected error."),
    ("store.poisoned", "error", "Store poisoned", "error",
     "A sync failed: nothing is acknowledged until the store was checked."),
    ("store.restore-failed", "error", "Store not restored", "shard", "The check after a failed sync failed."),
    ("state.failed", "error", "State not saved", "error", "Lock-outs and receipts could not be saved or read."),
    ("state.damaged", "error", "State damaged", "file error", "state.db was put aside and begun anew."),
    ("tls.certificate-unusable", "error", "Certificate unusable", "file reason", "The one before stays in use."),
    ("server.no_certificate", "error", "No certificate", "service", "TLS cannot be offered."),
    ("server.chore-failed", "error", "Chore failed", "error", "Rotating logs or renewing the certificate failed."),

    ("space.full", "error", "Disk full", "folder free limit",
     "Below the hard limit: no mail is taken in until there is room."),

    ("delivery.tls", "debug", "TLS", "queue_id remote tls verified", "TLS to another server."),
    ("dns.failed", "debug", "Look-up failed", "name type reason", "A name server did not answer as it should."),
    ("imap.client", "debug", "IMAP client", "name version", "What a client calls itself."),
    ("smtp.tls_failed", "debug", "TLS failed", "service sender_host error", "A client's TLS handshake failed."),
    ("tls.failed", "debug", "TLS failed", "service sender_host reason", "A client's TLS failed, at once or later."),
)  # fmt: skip

EVENTS: Final = tuple(
    LogEvent(name, log, title, meaning, tuple(fields.split())) for name, log, title, fields, meaning in _TABLE
)
BY_NAME: Final = {event.name: event for event in EVENTS}
