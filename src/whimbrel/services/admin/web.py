"""The admin calls as JSON over HTTP: `POST /api/admin/<noun>/<verb>`, body an object of parameters; what only reads is
also `GET` with the parameters in the query.

An answer is `{"result": {...}, "warnings": ["..."], "version": "...", "change": "..."}`; `change` is what `change undo`
takes back, empty where nothing was changed. The version of a record is its ETag as well; `If-Match` makes a change of
another version 412. `?check=1` validates without changing anything, `?confirm=` has the words that something dangerous
asks for, `?question=1` answers `{"question": "..."}`, to be asked before it is done. A refusal is `{"error": {kind,
text, fields, confirm}}` with the status of its kind. A call that streams answers one JSON object a line: `{"item":
...}` each, then `{"end": true, "warnings": []}` or an error; a stream without its end was cut off. What may take long
is an operation: its first line is `{"operation": "<id>"}`, and with `?wait=0` that is the whole answer. The schema of
all calls is made at build time: `docs/gen/openapi.json`.

With `?undo=10` any change is checked at once and made ten seconds later, by the server: the answer has the id by which
`operation cancel` takes it back. `POST /api/admin/bulk` makes one call for each of many (`bulk.py`).

`GET /api/admin/schema` describes settings, records and calls for consoles that draw what they have no code for.

Settings stand at `GET /api/admin/settings[/<section>]`, and change by `PATCH` with an object of values by path,
null for the default (RFC 7396).
"""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from whimbrel import __version__
from whimbrel.services.admin.bulk import bulk_work
from whimbrel.services.admin.caller import permit_still
from whimbrel.services.admin.calls import Call, CallError, Failure, FieldFault
from whimbrel.services.admin.console_file import SCHEMA
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.invoke import (
    MAX_FILE,
    MAX_QUERY,
    Prepared,
    checked,
    prepare,
    question,
    result_adapter,
    run,
    run_stream,
    version_of,
    work_of,
)
from whimbrel.services.admin.pointers import placed
from whimbrel.services.admin.server.operations import Operations, Work
from whimbrel.services.admin.settings import settings_calls

MAX_BODY = MAX_FILE + (1 << 20)
MAX_UNDO = 60
"""Seconds."""
BODY_WITHIN = 60.0
"""Seconds in which the body of a request must have come: a client that dawdles keeps others out."""
Contexts = Callable[[Request], AdminContext]
"""The context of one request: its caller, checked by whoever lets requests in."""
Endpoint = Callable[[Request], Awaitable[Response]]
_YES = ("1", "true", "yes")
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
"""As people write them in an address; in a body JSON has its own."""
_JSON = ("application/json", "application/merge-patch+json")
STANDS_FOR = 0.5
"""Seconds after which a stream asks again whether its caller is who he was: then for the next item."""
_OPTIONS = frozenset({"check", "confirm", "question", "undo", "wait"})
"""Words of the query that are no parameters of the call."""


def application(calls: Sequence[Call], contexts: Contexts) -> Starlette:
    """The ASGI application."""
    routes = [
        Route(call.path, _endpoint(call, contexts), methods=["GET", "POST"] if call.reads else ["POST"])
        for call in calls
    ]
    routes += [Route("/api/admin/bulk", _bulk(calls, contexts), methods=["POST"])]
    routes += [*_settings(contexts), Route("/api/admin/schema", _schema(contexts), methods=["GET"])]
    return Starlette(routes=routes, exception_handlers={404: _unknown, 405: refuse_method})


def _bulk(calls: Sequence[Call], contexts: Contexts) -> Callable[[Request], Awaitable[Response]]:
    known = {call.name: call for call in calls}

    async def endpoint(request: Request) -> Response:
        try:
            ctx = contexts(request)
            work = await bulk_work(
                known, ctx, await _object(request), confirmed=request.query_params.get("confirm", "")
            )
            operations = need(ctx.operations, "Bulk work")
            return _later(operations, replace(work, wait=_undo(work.call, request)))
        except CallError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)

    return endpoint


def _schema(contexts: Contexts) -> Callable[[Request], Awaitable[Response]]:
    """What consoles draw from: the same for all, and no secret; who is let in at all may have it."""

    async def endpoint(request: Request) -> Response:
        try:
            contexts(request)
        except CallError as error:
            return refusal(error)
        headers = {"ETag": f'"{__version__}-{SCHEMA.stat().st_mtime_ns:x}"', "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        content = SCHEMA.read_bytes()
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = gzip.compress(content, 6), "gzip"
        return Response(content, media_type="application/json", headers=headers | {"Vary": "Accept-Encoding"})

    return endpoint


def _settings(contexts: Contexts) -> list[Route]:
    """Of a part of the configuration as a whole: its values, and a change of any of them."""
    read = _endpoint(settings_calls.READ, contexts, _section)
    change = _endpoint(settings_calls.CHANGE, contexts, _values)
    return [
        route
        for path in (settings_calls.PREFIX, f"{settings_calls.PREFIX}/{{section}}")
        for route in [Route(path, by_method({"GET": read, "PATCH": change}), methods=["GET", "PATCH"])]
    ]


def by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """One route for all methods of an address, so that `Allow` names them all."""

    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


async def refuse_method(request: Request, error: Exception) -> Response:
    """405, with the methods that the address takes."""
    answer = refusal(CallError(Failure.METHOD, f"{request.url.path} takes no {request.method[:20]}"))
    methods = (getattr(error, "headers", None) or {}).get("Allow", "")
    answer.headers["Allow"] = ", ".join(sorted(method.strip() for method in methods.split(",")))
    return answer


async def _unknown(request: Request, _error: Exception) -> Response:
    return refusal(CallError(Failure.NOT_FOUND, f"There is no admin call {request.method} {request.url.path}"))


def refusal(error: CallError) -> Response:
    """The answer to a call that is refused."""
    return JSONResponse({"error": error_object(error)}, error.http_status)


def error_object(error: CallError) -> dict[str, object]:
    return {
        "kind": error.kind.word,
        "text": error.text,
        "fields": [{"name": fault.name, "pointer": fault.pointer or "", "text": fault.text} for fault in error.fields],
        "confirm": error.confirm,
        "differs": [asdict(each) for each in error.differs],
    }


Arguments = Callable[[Call, Request], Awaitable[dict[str, object]]]
"""What a request gives to a call. CallError."""


async def _given(call: Call, request: Request) -> dict[str, object]:
    """Parameters in the query of a GET, else in the body."""
    if request.method != "GET":
        return await _object(request)
    query, kinds = request.query_params, {parameter.name: parameter for parameter in call.parameters}
    given: dict[str, object] = {}
    for name in query:
        if name in _OPTIONS:
            continue
        values, parameter = query.getlist(name), kinds.get(name)
        if any(len(value) > MAX_QUERY for value in values):
            text = f"is longer than {MAX_QUERY} characters: give it by POST"
            raise CallError(Failure.USAGE, f"{name[:100]}: {text}", FieldFault(name[:100], text))
        if parameter is not None and parameter.many:
            given[name] = values
        elif parameter is not None and parameter.kind is bool:
            given[name] = _TRUTH.get(values[-1], values[-1])
        else:
            given[name] = values[-1]
    return given


async def _section(_call: Call, request: Request) -> dict[str, object]:
    return dict(request.path_params)


async def _values(call: Call, request: Request) -> dict[str, object]:
    return await _section(call, request) | {"values": await _object(request)}


def _endpoint(call: Call, contexts: Contexts, given: Arguments = _given) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        arguments: dict[str, object] = {}
        try:
            ctx = contexts(request)
            arguments = await given(call, request)
            body = _body_of(arguments, given)
            made = await _prepared(call, ctx, request, arguments)
            if request.query_params.get("question", "") in _YES:
                return JSONResponse({"question": await question(made)})
            if (undo := _undo(call, request)) and made.ctx.operations is not None:
                await checked(made)  # What would be refused is refused at once.
                return _later(made.ctx.operations, replace(work_of(made), wait=undo))
            if call.operation and made.ctx.operations is not None:
                return await _operation(made, body, request)
            if call.streams:
                return StreamingResponse(_lines(made, body, run_stream(made)), media_type="application/x-ndjson")
            result = await run(made)
            version = await version_of(made)
        except CallError as error:
            return refusal(placed(error, call, _body_of(arguments, given)))
        except ClientDisconnect:
            return Response(status_code=400)
        return _answer(made, result, version)

    return endpoint


def _undo(call: Call, request: Request) -> float:
    """Seconds in which what is asked for can still be taken back; 0: it is done at once. CallError."""
    text = request.query_params.get("undo", "")
    if not text or call.reads:
        return 0.0
    if call.shows_secret:
        raise CallError(Failure.USAGE, f"'{call.name}' answers with a secret: it is done at once, or not")
    if not text.isdecimal() or not 0 <= int(text) <= MAX_UNDO:
        raise CallError(Failure.USAGE, f"undo: 0 to {MAX_UNDO} seconds, such as 10")
    return float(text)


def _later(operations: Operations, work: Work) -> Response:
    running = operations.start(work)
    return JSONResponse({"operation": running.id, "undo": work.wait}, 202)


def _body_of(arguments: dict[str, object], given: Arguments) -> dict[str, object]:
    """The body that arguments came from."""
    values = arguments.get("values") if given is _values else arguments
    return values if isinstance(values, dict) else {}


async def _prepared(call: Call, ctx: AdminContext, request: Request, arguments: dict[str, object]) -> Prepared:
    """What is wrong with a request is said with its status, before anything is done. CallError."""
    query = request.query_params
    ctx = ctx.request(
        ctx.caller,
        dry_run=query.get("check", "") in _YES,
        confirmed=query.get("confirm", ""),
        seen=_seen(request.headers.get("if-match", "")),
    )
    return prepare(call, ctx, arguments)


def _seen(header: str) -> str:
    """The version in If-Match; empty for none and for `*`, any that there is. RFC 9110 13.1.1. CallError."""
    text = header.strip()
    if text in ("", "*"):
        return ""
    if len(text) > 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        return text[1:-1]
    raise CallError(Failure.USAGE, 'If-Match: one version in double quotes is meant, as ETag gave it, such as "1f0c"')


def _answer(made: Prepared, result: object, version: str) -> Response:
    body = {"warnings": made.ctx.warnings, "version": version, "change": "".join(made.ctx.recorded)}
    content = b'{"result":' + result_adapter(made.call).dump_json(result) + b"," + json.dumps(body).encode()[1:]
    headers = {"ETag": f'"{version}"'} if version else {}
    if made.call.reads and not made.call.reauthenticates:
        headers["Cache-Control"] = "no-store"  # It holds no secret: whoever carries it may pack it.
    return Response(content, media_type="application/json", headers=headers)


async def _operation(made: Prepared, body: dict[str, object], request: Request) -> Response:
    """It goes on by itself from here; this client only looks on."""
    operations = made.ctx.operations
    assert operations is not None
    running = operations.start(work_of(made))
    if request.query_params.get("wait", "") == "0":
        return JSONResponse({"operation": running.id}, 202)
    if made.call.streams:
        first = [json.dumps({"operation": running.id}).encode() + b"\n"]
        return StreamingResponse(_lines(made, body, running.items(), first), media_type="application/x-ndjson")
    return _answer(made, await running.result(), "")


async def _lines(
    made: Prepared, body: dict[str, object], items: AsyncIterator[object], first: Iterable[bytes] = ()
) -> AsyncIterator[bytes]:
    adapter, looked = result_adapter(made.call), time.monotonic()
    try:
        for line in first:
            yield line
        async for item in items:
            if time.monotonic() - looked > STANDS_FOR:
                await permit_still(made.ctx.caller)
                looked = time.monotonic()
            yield b'{"item":' + adapter.dump_json(item) + b"}\n"
        yield json.dumps({"end": True, "warnings": made.ctx.warnings}).encode() + b"\n"
    except CallError as error:
        yield json.dumps({"error": error_object(placed(error, made.call, body))}).encode() + b"\n"


async def _object(request: Request) -> dict[str, object]:
    """The body. CallError."""
    # A web page cannot send this type to another origin without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip() not in _JSON:
        raise CallError(Failure.USAGE, "the content type must be application/json")
    try:
        async with asyncio.timeout(BODY_WITHIN):
            body = await _body(request)
    except TimeoutError:
        raise CallError(Failure.USAGE, f"the request did not come whole within {BODY_WITHIN:g} seconds") from None
    if not body.strip():
        return {}
    try:
        made = json.loads(body)
    except (ValueError, RecursionError):
        raise CallError(Failure.USAGE, "the body is not JSON") from None
    if not isinstance(made, dict):
        raise CallError(Failure.USAGE, "the body must be a JSON object of parameters")
    return made


async def _body(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise CallError(Failure.USAGE, f"the request is larger than {MAX_BODY} bytes")
        pieces.append(piece)
    return b"".join(pieces)
