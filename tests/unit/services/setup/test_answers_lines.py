"""The line of an answers file that a fault is about."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.setup.fake import FakeMachine
from whimbrel.app.setup.writing import STEPS
from whimbrel.services.setup.answers_file import read_file
from whimbrel.services.setup.answers_lines import line_of, lines_of

TEXT = """# [nothing]
hostnam = "mail"          # not a key: x = 1
domain = '''
[inside]
x = 1
'''
names = [
  "anna", # ]
  "b=c",
]
[ administrator ]
"name" = "a/b"
password = "[x]"
outgoing.mode = "none"

[services]
smtp = { listen = ["*:25"], enabled = true }
[services.imap]
listne = ["*:143"]
[settings]
"smtp/max-message-size" = "much"
"""


def test_each_answer_has_its_line() -> None:
    lines = lines_of(TEXT)
    wanted = {
        "hostnam": 2, "domain": 3, "names": 7, "administrator": 11, "administrator.name": 12,
        "administrator.password": 13, "administrator.outgoing.mode": 14,
        "services": 16, "services.smtp": 17, "services.smtp.listen": 17,
        "services.smtp.enabled": 17, "services.imap": 18, "services.imap.listne": 19, "settings": 20,
        "settings.smtp/max-message-size": 21,
    }  # fmt: skip
    assert {path: lines.get(path) for path in wanted} == wanted
    assert "inside" not in lines and "x" not in lines and "nothing" not in lines


def test_a_fault_stands_at_its_line_or_at_that_of_its_table() -> None:
    lines = lines_of(TEXT)
    assert line_of('settings."smtp/max-message-size"', lines) == 21
    assert line_of("services.pop3.listen", lines) == 16
    assert line_of("store", lines) == 0
    assert line_of("", lines) == 0


def test_all_faults_are_told_at_once_with_file_line_name_and_the_nearest_known() -> None:
    faults = [str(fault) for fault in read_file(TEXT, "answers.toml", None, STEPS, FakeMachine()).placed()]
    starts = [
        "answers.toml:2: hostnam: unknown; did you mean 'hostname'?",
        "answers.toml:3: domain: control characters are not allowed",
        "answers.toml:12: administrator.name: a name has none of",
        "answers.toml:14: administrator.outgoing: unknown",
        "answers.toml:19: services.imap.listne: unknown; did you mean 'listen'?",
        "answers.toml: hostname: is missing",
    ]
    for start in starts:
        assert any(fault.startswith(start) for fault in faults), (start, faults)
    assert faults[-1] == "answers.toml: hostname: is missing"


_KEYS = st.text("ab-_1", min_size=1, max_size=3)
_VALUES = st.sampled_from(["1", '"x # ["', "'y]'", '"""\na = 1\n[b]\n"""', "[\n1,\n2 # ]\n]", "true", '["a", "]"]'])


@given(st.dictionaries(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=4))
def test_every_key_that_toml_reads_has_the_line_where_it_stands(tables: dict[str, dict[str, str]]) -> None:
    text, wanted = "", {}
    for table, answers in tables.items():
        text += f"[{table}]\n"
        wanted[table] = text.count("\n")
        for name, value in answers.items():
            wanted[f"{table}.{name}"] = text.count("\n") + 1
            text += f"{name} = {value}\n"
    tomllib.loads(text)
    assert lines_of(text) == wanted
