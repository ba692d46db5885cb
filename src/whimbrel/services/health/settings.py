"""Settings of the health checks: how often they are made, and from where on they complain."""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration, Size


class HealthSettings(Section, tag="health"):
    """Health checks, as `whimbrel doctor` and the dashboard show them."""

    check_interval: Duration = setting(
        Duration("5m"), minimum=30, maximum=86_400, help="How often all checks are made.", row="S15"
    )
    port_25_host: str = setting(
        "",
        pattern=r"^$|^[A-Za-z0-9.:_\[\]-]{1,255}$",
        like="the name or address of a mail server, such as mx.example.net, or nothing",
        examples=("mx.example.net",),
        help="A mail server of yours elsewhere, which is called to see whether port 25 goes out; empty: not checked.",
        row="S15",
    )
    disk_forecast: Duration = setting(
        Duration("7d"), minimum=0, maximum=365 * 86_400, help="Warn when the disk is full within this time."
    )
    certificate_left: Duration = setting(
        Duration("14d"), minimum=0, maximum=365 * 86_400, help="Warn when a certificate ends within this time."
    )
    queue_age: Duration = setting(
        Duration("4h"), minimum=60, maximum=30 * 86_400, help="Warn when a message has waited for this time."
    )
    process_memory: Size = setting(
        Size("1G"), minimum=Size("64M"), help="Warn when one of our processes has this much memory.", advanced=True
    )
