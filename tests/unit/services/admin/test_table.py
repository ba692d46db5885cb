"""Every call is declared whole: that is what its schema, its command and its documentation are made of."""

import json

import pytest

from whimbrel.core.directory import Rights
from whimbrel.core.values import Secret
from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import Call
from whimbrel.services.admin.invoke import model
from whimbrel.services.admin.schema import describe
from whimbrel.services.admin.table import all_calls, calls_of, declared

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
    modules = dict.fromkeys(module for names in NOUNS.values() for module in names)
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
        assert call.rights in (Rights.SERVER_WRITE, Rights.DOMAIN)


@EACH
def test_what_destroys_asks_first(call: Call) -> None:
    if call.verb in ("remove", "delete"):
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


def test_the_schema_of_all_calls_is_json_and_names_what_is_positional() -> None:
    schema = json.loads(json.dumps(describe(all_calls())))
    (add,) = (call for call in schema["calls"] if (call["noun"], call["verb"]) == ("alias", "add"))
    assert add["positional"] == ["name", "to"]
    assert add["parameters"]["required"] == ["name", "to"]
    assert add["parameters"]["properties"]["to"]["items"] == {"type": "string"}
    (show,) = (call for call in schema["calls"] if (call["noun"], call["verb"]) == ("user", "show"))
    assert show["parameters"]["properties"]["name"]["x-ref"] == "user"
    assert not show["parameters"]["additionalProperties"]
