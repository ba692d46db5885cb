"""Routes are written with the letters of a name, and compared with its A-labels. RFC 5891"""

import pytest

from whimbrel.core.address import Address
from whimbrel.flow.delivery.destination import destination
from whimbrel.flow.delivery.settings import DeliverySettings, RelayRoute, SenderRoute, SourceAddress
from whimbrel.flow.delivery.source import sources

OURS = Address.parse("müller@straße.test")


@pytest.mark.parametrize("written", ["straße.test", "STRAßE.test", "xn--strae-oqa.test"])
def test_a_route_is_found_in_either_form(written: str) -> None:
    settings = DeliverySettings(routes=(RelayRoute(domain=written, host="relay.test"),))
    for domain, host in ((OURS.domain, "relay.test"), ("strasse.test", "")):
        way = destination(domain, settings)
        assert (way.relay.host if way.relay else "") == host


def test_a_route_of_all_below_a_name_is_found_in_either_form() -> None:
    settings = DeliverySettings(routes=(RelayRoute(domain="*.straße.test", host="relay.test"),))
    assert destination("mail.xn--strae-oqa.test", settings).relay is not None
    assert destination("xn--strae-oqa.test", settings).relay is None


@pytest.mark.parametrize("sender", ["Müller@straße.test", "straße.test", "müller@xn--strae-oqa.test"])
def test_a_sender_and_his_source_address_are_found_in_either_form(sender: str) -> None:
    settings = DeliverySettings(
        sender_routes=(SenderRoute(sender=sender, host="relay.test"),),
        sources=(SourceAddress(domain=sender.rpartition("@")[2], ipv4="192.0.2.7"),),
    )
    way = destination("else.test", settings, OURS)
    assert way.relay is not None and way.relay.host == "relay.test"
    assert sources(settings, OURS).ipv4 == "192.0.2.7"
