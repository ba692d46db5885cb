"""A slip of the pen on a command line is answered in our own words, which name what was typed and what is meant."""

import re
from pathlib import Path
from typing import Any

import pytest

from whimbrel.app.cli import main
from whimbrel.core.values import Duration, Secret, Size
from whimbrel.services.admin.calls import Call, CallError, Failure, FileText, Parameter
from whimbrel.services.admin.invoke import values_of
from whimbrel.services.admin.table import all_calls

LIBRARIES = re.compile(
    r"input should|greater than|less than or|unable to|valid (integer|number|string|boolean|tuple|list)|invalid value|"
    r"no such option|unexpected|usage:|pydantic|type=|traceback|requires an argument|does not take",
    re.IGNORECASE,
)
"""Words of pydantic and click."""
WRONG_JSON: tuple[object, ...] = ({"a": 1}, [[1]], "\x00", "\ud800", 10**400, -1, 1.5, True, "", "nonsense")
EACH = [(call, parameter) for call in all_calls() for parameter in call.parameters]
NAMES = [f"{call.name} {parameter.option}" for call, parameter in EACH]


def refusal(call: Call, parameter: Parameter, value: object) -> CallError | None:
    """Of this value; the other parameters are missing, which is not what is looked for."""
    try:
        values_of(call, {parameter.name: value})
    except CallError as error:
        assert error.kind is Failure.USAGE
        faults = [fault for fault in error.fields if fault.name == parameter.name]
        return CallError(error.kind, faults[0].text) if faults else None
    return None


@pytest.mark.parametrize(("call", "parameter"), EACH, ids=NAMES)
def test_a_wrong_value_of_json_is_refused_in_our_words(call: Call, parameter: Parameter) -> None:
    refused = [error for error in (refusal(call, parameter, value) for value in WRONG_JSON) if error]
    assert refused
    for error in refused:
        assert not LIBRARIES.search(error.text), error.text
        assert len(error.text) < 500


def wrong_words(parameter: Parameter) -> list[str]:
    if parameter.choices:
        return ["nonsense"]
    if parameter.kind in (int, float):
        return ["x", "-3", "9" * 400, "1e400", "nan", "٣"]
    if parameter.kind is Size:
        return ["much", "-1", "999999999999999T", "30"]
    if parameter.kind is Duration:
        return ["long", "-1", "99999999999w", "30"]
    return []


@pytest.mark.parametrize(
    ("call", "parameter"),
    [(call, parameter) for call, parameter in EACH if wrong_words(parameter)],
    ids=[name for name, (_, parameter) in zip(NAMES, EACH, strict=True) if wrong_words(parameter)],
)
def test_a_wrong_word_names_its_option_what_was_given_and_an_example(
    call: Call, parameter: Parameter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = parameter.option.upper() if parameter.positional else f"--{parameter.option}"
    for word in wrong_words(parameter):
        if parameter.kind in (Size, Duration):  # What only the server reads.
            error = refusal(call, parameter, word)
            assert error is not None
            text = f"{name}: {error.text}"
        else:
            text = refused(capsys, tmp_path, *call.name.split(), *_given(call, parameter, word))
        assert not LIBRARIES.search(text), text
        assert name in text
        assert f"'{word[:100]}" in text
        assert re.search(r"such as|for example|one of|write", text), text


def _given(call: Call, parameter: Parameter, word: str) -> list[str]:
    words: list[str] = []
    for each in call.parameters:
        if each.positional and each.kind not in (Secret, FileText) and (each.required or each is parameter):
            words.append(word if each is parameter else (each.choices or ("x",))[0])
        elif each.kind is FileText and each.required:
            words.append("/dev/null")
    return words if parameter.positional else [*words, f"--{parameter.option}", word]


def refused(capsys: pytest.CaptureFixture[str], directory: Path, *words: str) -> str:
    assert main(["--dir", str(directory), *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--yes", "user", "list"], "--yes stands behind noun and verb, as in `whimbrel NOUN VERB --yes`"),
        (["user", "--json", "list"], "as in `whimbrel user VERB --json`"),
        (["user", "list", "--dir", "x"], "as in `whimbrel --dir DIRECTORY user list`"),
        (["user", "list", "--offline"], "as in `whimbrel --offline user list`"),
        (["user", "show", "a", "b", "c"], "'b c' is more than the command takes: write `whimbrel user show NAME`"),
        (["user", "show"], "NAME must be given: write `whimbrel user show NAME`"),
        (["user", "list", "--serach", "x"], "there is no option --serach; did you mean --search?"),
        (["user", "list", "--x"], "there is no option --x; see `whimbrel user list --help`"),
        (["user", "list", "--search"], "--search needs a value behind it"),
        (["user", "list", "--json=3"], "--json is a switch and takes no value"),
        (["version", "--json", "x"], "'x' is more than the command takes"),
    ],
)
def test_words_in_the_wrong_place_are_told_where_they_belong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], text: str
) -> None:
    error = refused(capsys, tmp_path, *words)
    assert text in error
    assert not LIBRARIES.search(error)


def test_what_only_the_server_reads_names_the_option_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from tests.unit.app.test_cli import ANSWERS
    from whimbrel.app.setup.writing import read_answers, set_up

    set_up(tmp_path / "server", read_answers(ANSWERS, "answers"))
    error = refused(capsys, tmp_path / "server", "user", "set", "admin", "--max-message-size", "much")
    assert error == "whimbrel: --max-message-size: 'much' is not a size: a whole number such as 50M\n"


def test_numbers_in_json_may_be_numbers_and_stay_within_their_bounds() -> None:
    call = next(each for each in all_calls() if each.name == "task watch")
    values: dict[str, Any] = values_of(call, {"interval": 2, "looks": 5})
    assert values == {"interval": 2.0, "looks": 5}
    assert values_of(call, {"interval": "0.5"})["interval"] == 0.5
    for value in (0.01, 3601, float("nan"), float("inf")):
        with pytest.raises(CallError, match=r"between 0\.1 and 3600"):
            values_of(call, {"interval": value})
