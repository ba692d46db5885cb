"""Calls about other servers whose state is shown here. They are set by `config set servers/server[NAME]/url ...`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from whimbrel.services.admin.calls import (
    ARGUMENT,
    CallError,
    Failure,
    FieldFault,
    Known,
    Needs,
    call,
    nearest,
    not_found,
)
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Page, Words

if TYPE_CHECKING:
    from whimbrel.services.peers.watch import PeerState


@dataclass(frozen=True, slots=True)
class ServerRow:
    """`state`: ok, warning, failing, unreachable, untrusted, refused, unknown."""

    name: str
    state: str
    version: str
    waiting: int
    """Messages in its queue."""
    red: int
    """Health checks that are red there."""
    text: Words
    """Why it is so."""
    since: Moment
    url: str
    held: int
    attention: tuple[str, ...]
    """What it says that needs attention."""
    looked: Moment


@dataclass(frozen=True, slots=True)
class ServersView:
    failing: tuple[str, ...]
    """Servers that are not in order, or not reached."""
    items: tuple[ServerRow, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class CertificateView:
    fingerprint: str
    """SHA-256, as `openssl x509 -fingerprint -sha256` shows it."""
    names: Words
    until: str
    verified: bool
    """An authority that this machine believes vouches for it and for the name."""


@call("server", "list", reads=True, needs=Needs.SERVER, names=("server", "name"),
      help="Lists the other servers with what they last said of themselves.")  # fmt: skip
async def server_list(ctx: AdminContext) -> Page[ServerRow]:
    return Page(tuple(map(_row, need(ctx.peers, "A list of servers").states())))


@call("server", "look", needs=Needs.SERVER, problems="failing", help="Asks the other servers how they are, now.")
async def server_look(
    ctx: AdminContext,
    names: Annotated[tuple[str, ...], "Servers; none: all.", Known("server"), ARGUMENT] = (),
) -> ServersView:
    peers = need(ctx.peers, "A look at servers")
    known = [each.name for each in peers.states()]
    for name in names:
        if name not in known:
            not_found("server", name, nearest(name, known))
    states = peers.states() if ctx.dry_run else await peers.look(names)
    chosen = [each for each in states if not names or each.name in names]
    failing = tuple(each.name for each in chosen if each.state not in ("ok", "warning"))
    return ServersView(failing, tuple(map(_row, chosen)))


@call(
    "server",
    "certificate",
    needs=Needs.SERVER,
    help="Shows the certificate of a console, to compare and to set its fingerprint.",
)
async def server_certificate(
    ctx: AdminContext, url: Annotated[str, "Its address, such as https://mx2.example.org:44337."]
) -> CertificateView:
    asker = need(ctx.asker, "A look at a certificate")
    if ctx.dry_run:
        return CertificateView("", "", "", False)
    try:
        shown = await asker.certificate(url)
    except ValueError as error:
        raise CallError(Failure.USAGE, str(error), FieldFault("url", str(error))) from None
    except OSError as error:
        raise CallError(Failure.UNAVAILABLE, f"{url} shows no certificate: {error or type(error).__name__}") from None
    digits = shown.fingerprint.upper()
    spelled = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    return CertificateView(spelled, shown.names, shown.until, shown.verified)


def _row(peer: "PeerState") -> ServerRow:
    return ServerRow(
        peer.name, peer.state, peer.version, peer.waiting, peer.red, peer.text, Moment(peer.since), peer.url, peer.held,
        peer.attention, Moment(peer.looked),
    )  # fmt: skip
