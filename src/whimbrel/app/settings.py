"""The table of all sections of `mailserver.cfg`: one line for each.

Sections stand beside the code that uses them; this is the root they hang on. Those of filters are taken from the table
of filters.
"""

from typing import TYPE_CHECKING

from whimbrel.app import store_mark
from whimbrel.app.server import ServerSettings
from whimbrel.app.services import AllServicesSettings
from whimbrel.backends.config.settings import HistorySettings
from whimbrel.backends.disk.space import SpaceSettings
from whimbrel.backends.dns.settings import DnsSettings
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.net.settings import OutgoingSettings
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.definitions import Definitions
from whimbrel.core.settings import Moved, Section, setting
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import PolicySettings
from whimbrel.flow.judging.rating import RatingSettings
from whimbrel.flow.judging.sections import filters_section
from whimbrel.flow.judging.trusted import TrustedRelaysSettings
from whimbrel.flow.placement.quota import QuotaSettings
from whimbrel.flow.placement.special_folders import FolderSettings
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.flow.routing.relay import RelaySettings
from whimbrel.flow.routing.settings import RoutingSettings
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.alerts.settings import AlertSettings
from whimbrel.services.console.settings import ConsoleSettings
from whimbrel.services.health.settings import HealthSettings
from whimbrel.services.imapd.settings import ImapSettings
from whimbrel.services.jobs.settings import JobSettings
from whimbrel.services.peers.settings import PeersSettings
from whimbrel.services.pop3d.settings import Pop3Settings
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.smtpd.settings import SmtpServerSettings

if TYPE_CHECKING:
    FiltersSection = Section
else:
    FiltersSection = filters_section(FILTERS)


_MOVED = (Moved("space/notify", "alerts/event[disk-low]/to", beside="alerts/to", switch="enabled"),)


class MailServer(Section, tag="mailserver", checks=(store_mark.concern,), moved=_MOVED):
    """The whole configuration but for domains and users, which stand in users.cfg."""

    server: ServerSettings = setting(ServerSettings(), help="The server's own processes.")
    services: AllServicesSettings = setting(
        AllServicesSettings(), help="Network services: addresses, ports, TLS, limits."
    )
    definitions: Definitions = setting(Definitions(), help="IP groups and time intervals, by which rules mean clients.")
    security: SecuritySettings = setting(SecuritySettings(), help="Signing in.")
    console: ConsoleSettings = setting(ConsoleSettings(), help="Signing in to the console.")
    smtp: SmtpSettings = setting(SmtpSettings(), help="Receiving and sending mail over SMTP.")
    smtp_server: SmtpServerSettings = setting(SmtpServerSettings(), help="Sessions of clients that send to us.")
    imap: ImapSettings = setting(ImapSettings(), help="Reading and keeping mail over IMAP.")
    folders: FolderSettings = setting(FolderSettings(), help="The folders a new mailbox begins with.")
    pop3: Pop3Settings = setting(Pop3Settings(), help="Fetching mail over POP3.")
    jobs: JobSettings = setting(JobSettings(), help="What the server does by itself at times.")
    alerts: AlertSettings = setting(AlertSettings(), help="Who is told when something is wrong.")
    health: HealthSettings = setting(HealthSettings(), help="Health checks of the server and what it stands on.")
    relay: RelaySettings = setting(RelaySettings(), help="Relaying: mail that is neither from nor to our users.")
    routing: RoutingSettings = setting(RoutingSettings(), help="What addresses of ours stand for.")
    quota: QuotaSettings = setting(QuotaSettings(), help="Full mailboxes.")
    trusted_relays: TrustedRelaysSettings = setting(
        TrustedRelaysSettings(), help="Servers that pass mail of others on to us."
    )
    policy: PolicySettings = setting(PolicySettings(), help="How long the filters may look at a message.")
    rating: RatingSettings = setting(RatingSettings(), help="What becomes of a message by its score.")
    filters: FiltersSection = setting(FiltersSection(), help="What is looked at before a message is accepted.")
    delivery: DeliverySettings = setting(DeliverySettings(), help="Sending mail to other servers, and the queue.")
    reports: ReportSettings = setting(ReportSettings(), help="Delivery status notifications (bounces).")
    servers: PeersSettings = setting(PeersSettings(), help="Other servers, whose state is shown in this console.")
    outgoing: OutgoingSettings = setting(OutgoingSettings(), help="Requests on others' behalf: what they may reach.")
    dns: DnsSettings = setting(DnsSettings(), help="Asking the domain name system.")
    tls: TlsSettings = setting(TlsSettings(), help="Certificates and versions of TLS.")
    logs: LogSettings = setting(LogSettings(), help="What is written down, and how long it is kept.")
    history: HistorySettings = setting(HistorySettings(), help="Former versions of the configuration files.")
    store: StoreSettings = setting(StoreSettings(), help="The mail store.")
    space: SpaceSettings = setting(SpaceSettings(), help="Free space on disk: when to warn, when to take in no more.")
