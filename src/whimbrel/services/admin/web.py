"""The admin calls as JSON over HTTP: `POST /api/admin/<noun>/<verb>`, body an object of parameters.

`?check=1` validates without changing anything. A refusal is `{"error": {kind, text, fields}}` with the status of its
kind. A call that streams answers one JSON object a line: `{"item": ...}` each, then `{"end": true}` or an error;
a stream without its end was cut off. `GET /api/admin/schema` describes all calls.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from whimbrel.services.admin.calls import Call, CallError, Failure
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.invoke import MAX_FILE, invoke, prepare, result_adapter, stream
from whimbrel.services.admin.schema import describe

MAX_BODY = MAX_FILE + (1 << 20)
Contexts = Callable[[Request], AdminContext]
"""The context of one request: its caller, checked by whoever lets requests in."""


def application(calls: Sequence[Call], contexts: Contexts) -> Starlette:
    """The ASGI application. The schema is made when it is first asked for."""
    known: list[dict[str, Any]] = []

    async def schema(_request: Request) -> Response:
        if not known:
            known.append(describe(calls))
        return JSONResponse(known[0])

    routes = [Route("/api/admin/schema", schema, methods=["GET"])]
    routes += [Route(call.path, _endpoint(call, contexts), methods=["POST"]) for call in calls]
    return Starlette(routes=routes, exception_handlers={404: _unknown, 405: _unknown})


async def _unknown(request: Request, _error: Exception) -> Response:
    return refusal(CallError(Failure.NOT_FOUND, f"There is no admin call {request.method} {request.url.path}"))


def refusal(error: CallError) -> Response:
    """The answer to a call that is refused."""
    return JSONResponse({"error": error_object(error)}, error.kind.http_status)


def error_object(error: CallError) -> dict[str, object]:
    return {
        "kind": error.kind.word,
        "text": error.text,
        "fields": [{"name": fault.name, "text": fault.text} for fault in error.fields],
    }


def _endpoint(call: Call, contexts: Contexts) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            # A web page cannot send this type to another origin without asking first.
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                raise CallError(Failure.USAGE, "the content type must be application/json")
            arguments = await _arguments(request)
            dry_run = request.query_params.get("check", "") in ("1", "true", "yes")
            ctx = contexts(request)
            ctx = ctx.with_caller(ctx.caller, dry_run=dry_run)
            if call.streams:
                prepare(call, ctx, arguments)  # What is wrong with the request still gets its status.
                return StreamingResponse(_lines(call, ctx, arguments), media_type="application/x-ndjson")
            result = await invoke(call, ctx, arguments)
        except CallError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)
        return Response(result_adapter(call).dump_json(result), media_type="application/json")

    return endpoint


async def _lines(call: Call, ctx: AdminContext, arguments: dict[str, object]) -> AsyncIterator[bytes]:
    adapter = result_adapter(call)
    try:
        async for item in stream(call, ctx, arguments):
            yield b'{"item":' + adapter.dump_json(item) + b"}\n"
        yield b'{"end":true}\n'
    except CallError as error:
        yield json.dumps({"error": error_object(error)}).encode() + b"\n"


async def _arguments(request: Request) -> dict[str, object]:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise CallError(Failure.USAGE, f"the request is larger than {MAX_BODY} bytes")
        pieces.append(piece)
    body = b"".join(pieces)
    if not body.strip():
        return {}
    try:
        made = json.loads(body)
    except (ValueError, RecursionError):
        raise CallError(Failure.USAGE, "the body is not JSON") from None
    if not isinstance(made, dict):
        raise CallError(Failure.USAGE, "the body must be a JSON object of parameters")
    return made
