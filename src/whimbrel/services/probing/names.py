"""A look into the domain name system: one type of records, or those that matter for mail."""

import ipaddress
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, Records
from whimbrel.services.probing.ports import ProbeStep

USUAL: Final = ("MX", "A", "AAAA", "TXT", "NS")


async def look_up(records: Records, name: str, kinds: Sequence[str]) -> AsyncIterator[ProbeStep]:
    """A step for each record. An address is looked up by its name in reverse order, unless types are given."""
    began = time.monotonic()
    try:
        name, kinds = ipaddress.ip_address(name.strip("[]")).reverse_pointer, kinds or ("PTR",)
    except ValueError:
        kinds = kinds or USUAL
    for kind in kinds:
        try:
            answers = await records.records(name, kind)
        except NoSuchName:
            text = f"{name} does not exist"
            yield ProbeStep("look-up", text, time.monotonic() - began, {"name": name, "type": kind}, (f"{text}.",))
            return
        except MailError as error:
            text = error.detail or error.text
            yield ProbeStep("look-up", f"{kind}: {text}", time.monotonic() - began, {"type": kind}, (f"{text}.",))
            continue
        for answer in answers:
            facts = {"name": name, "type": kind, "value": answer}
            yield ProbeStep("look-up", f"{name}  {kind}  {answer}", time.monotonic() - began, facts)
        if not answers:
            yield ProbeStep("look-up", f"{name}  {kind}  no records", time.monotonic() - began, {"type": kind})
