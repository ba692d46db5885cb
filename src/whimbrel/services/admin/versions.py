"""Versions of records, for If-Match: a short text that changes whenever a record does. RFC 9110 8.8.3, 13.1.1

A call that names a domain, user, alias or group of its own noun shows or changes that record, and has its version; any
other call that has one declares it.
"""

import hashlib
from typing import Final

from whimbrel.core.directory import Kind
from whimbrel.services.admin.calls import Call, Version
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.people import domain_named, entry

KINDS: Final = {str(kind): kind for kind in Kind}


def version_for(call: Call) -> Version | None:
    """What tells the version of the record that `call` is about; None if it is about none."""
    if call.version is not None:
        return call.version
    named = next((p for p in call.parameters if p.required and p.known == call.noun and not p.many), None)
    kind = KINDS.get(call.noun)
    if named is None or kind is None:
        return None
    return _record(kind, named.name)


def _record(kind: Kind, parameter: str) -> Version:
    async def version(ctx: AdminContext, **values: object) -> str:
        name = str(values[parameter])
        if kind is Kind.DOMAIN:
            record = await ctx.editor.entry(kind, await domain_named(ctx, name))
        else:
            record = await entry(ctx, kind, name)
        return "" if record is None else digest(sorted(record.values.items()))

    return version


def digest(values: object) -> str:
    """Of anything whose `repr` says all that it is."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]
