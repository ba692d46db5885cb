"""The body of a request to the console that is no admin call: a small JSON object, whole within seconds."""

import asyncio
import json
from typing import Any, Final

from starlette.requests import Request

from whimbrel.services.admin.calls import CallError, Failure, FieldFault
from whimbrel.services.admin.pointers import joined

MAX_BODY: Final = 16 * 1024
BODY_WITHIN: Final = 10.0
"""Seconds for a body: whoever dawdles holds a turn of the address."""


async def texts_of(request: Request, *names: str) -> list[str]:
    """The members of the body, all of them texts. CallError"""
    content = await body_of(request)
    faults = [
        FieldFault(name, "a text must be given", joined(name)) for name in names if not _is_text(content.get(name))
    ]
    faults += [FieldFault(name, "is not known here", joined(name)) for name in content if name not in names]
    if faults:
        raise CallError(
            Failure.USAGE, "; ".join(f"{fault.name[:50]}: {fault.text}" for fault in faults[:9]), *faults[:9]
        )
    return [content[name] for name in names]


def _is_text(value: object) -> bool:
    """JSON can name half a character (`\\ud800`), which nothing can hold. RFC 8259 8.2"""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


async def body_of(request: Request) -> dict[str, Any]:
    """CallError."""
    # A web page cannot send this type to another origin without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise CallError(Failure.USAGE, "the content type must be application/json")
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY:
                    raise CallError(Failure.USAGE, f"the request is larger than {MAX_BODY} bytes")
    except TimeoutError:
        raise CallError(Failure.USAGE, f"the request did not come whole within {BODY_WITHIN:g} seconds") from None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise CallError(Failure.USAGE, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise CallError(Failure.USAGE, "the body must be a JSON object")
    return content
