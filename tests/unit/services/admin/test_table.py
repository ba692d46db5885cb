"""Every call is declared whole: that is what its schema, its command and its documentation are made of."""

import json
import re
import typing
from typing import Any

import pytest

from whimbrel.app.cli.show import hints
from whimbrel.core.rights import Right
from whimbrel.core.values import Secret
from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import Call, Needs
from whimbrel.services.admin.invoke import model, result_adapter
from whimbrel.services.admin.noun import Noun
from whimbrel.services.admin.schema import openapi
from whimbrel.services.admin.table import all_calls, calls_of, declared, listing

EACH = pytest.mark.parametrize("call", all_calls(), ids=lambda call: call.name)
VERBS = {
    "status": "",
    "service": "list",
    "config": "get set unset list search describe diff export import check history undo reload",
    "domain": "list add show set remove rename primary",
    "user": "list add show set remove enable disable password import export rights",
    "alias": "list add show set remove check",
    "group": "list add show set remove",
    "queue": "list show source try hold release delete run stats",
    "task": "list watch abort",
    "store": "check reindex",
    "log": "tail",
}


def test_every_verb_of_the_command_line_is_there() -> None:
    for noun, verbs in VERBS.items():
        assert set(verbs.split()) <= {call.verb for call in calls_of(noun)}, noun


def test_the_table_names_every_declared_call_once() -> None:
    modules = dict.fromkeys(module for noun in NOUNS.values() for module in noun.modules)
    found = [call.name for module in modules for call in declared(module)]
    assert sorted(found) == sorted(call.name for call in all_calls())
    assert len(set(found)) == len(found)


@EACH
def test_a_call_and_each_of_its_parameters_has_help(call: Call) -> None:
    assert call.help.endswith(".")
    for parameter in call.parameters:
        assert parameter.help.endswith("."), parameter.name


@EACH
def test_what_changes_something_needs_the_right_to_write(call: Call) -> None:
    if not call.reads:
        assert call.right in (Right.SERVER_WRITE, Right.DOMAIN, Right.ACCOUNTS) or call.name in OF_THE_CALLER


OF_THE_CALLER = {"admin token-create", "admin token-revoke", "admin session-end", "operation cancel"}
"""What everybody may change of the own; for that of others each of them asks for rights itself."""


@EACH
def test_what_destroys_asks_first(call: Call) -> None:
    if call.verb in ("remove", "delete") and call.noun != "config":
        assert call.confirm


@EACH
def test_a_call_has_a_docstring_or_help_and_a_typed_result(call: Call) -> None:
    assert call.result is not None
    assert call.path == "/api/admin/" + "/".join(filter(None, (call.noun, call.verb)))


@EACH
def test_a_secret_is_never_a_positional_word(call: Call) -> None:
    for parameter in call.parameters:
        if parameter.kind is Secret:
            schema = model(call).model_json_schema()["properties"][parameter.name]
            assert "password" in json.dumps(schema)


def test_the_description_of_all_calls_is_json_and_names_what_is_positional() -> None:
    made = json.loads(json.dumps(openapi(all_calls(), "1")))
    assert set(made["paths"]) >= {call.path for call in all_calls()}
    add = made["paths"]["/api/admin/alias/add"]["post"]
    assert add["x-call"]["positional"] == ["name", "to"]
    parameters = add["requestBody"]["content"]["application/json"]["schema"]
    assert parameters["required"] == ["name", "to"]
    assert parameters["properties"]["to"]["items"]["type"] == "string"
    show = made["paths"]["/api/admin/user/show"]
    assert show["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["name"]["x-ref"] == "user"
    assert show["get"]["parameters"][0]["name"] == "name"
    text = json.dumps(made)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in made["components"]["schemas"]


def test_components_of_one_name_are_one_type() -> None:
    """Two results with classes of the same name would silently share one description."""
    made: dict[str, Any] = {}
    for call in all_calls():
        for name, definition in result_adapter(call).json_schema(mode="serialization").get("$defs", {}).items():
            assert made.setdefault(name, definition) == definition, (call.name, name)


@pytest.mark.parametrize("noun", NOUNS.values(), ids=lambda noun: noun.name)
def test_a_noun_has_calls_and_help_and_lists_what_it_names(noun: Noun) -> None:
    calls = calls_of(noun.name)
    assert calls and noun.help.endswith(".")
    assert noun.alone == (calls[0].verb == "")
    assert noun.names == tuple(call.names[0] for call in calls if call.names[0])


def test_completion_of_every_known_name_asks_a_call_that_lists_it() -> None:
    for call in all_calls():
        for parameter in call.parameters:
            if parameter.known:
                lists = listing(parameter.known)
                row = typing.get_args(hints(lists.result)["items"])[0]
                assert lists.names[1] in hints(row), (call.name, parameter.name)


@EACH
def test_json_is_an_object_and_a_list_is_items_and_more(call: Call) -> None:
    if call.result is str:
        assert call.streams
        return
    names = hints(call.result)
    assert not {"messages", "users", "next"} & {
        name for name, hint in names.items() if typing.get_origin(hint) is tuple
    }
    if "items" in names and not call.streams:
        assert names["more"] is str, call.name
    for name, hint in names.items():
        moment = any(word in name for word in ("created", "started", "ended", "deleted_at", "next_attempt", "since"))
        assert not (moment and hint in (float, int)), (call.name, name)


@EACH
def test_what_shows_mail_is_declared_and_what_streams_long_is_an_operation(call: Call) -> None:
    if call.noun == "store" and call.verb in ("check", "reindex", "repair"):
        assert call.operation
    if call.verb in ("source",) or call.verb in ("undelete-list", "undelete-search"):
        assert call.shows_mail is not None
    # Where the store is and where it moves to is in the files: that works while it cannot be reached.
    elsewhere = call.verb in ("place", "old-delete") or call.verb.startswith("move")
    if call.noun in ("queue", "store", "trace") and not elsewhere:
        assert call.needs in (Needs.STORE, Needs.SERVER)
