"""The step `language`: of reports to senders, and of the folders that new mailboxes have."""

from collections.abc import Sequence

from whimbrel.services.setup.answers import Making
from whimbrel.services.setup.field import Field, Kind, Values, choice
from whimbrel.services.setup.step import Step

_LANGUAGES = (("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"))


def _add(values: Values, making: Making) -> None:
    if (language := values.text("language")) != "en":
        making.put("reports/language", language, "language")
        making.put("folders/language", language, "language")


def _words(values: Values) -> Sequence[str]:
    name = dict(_LANGUAGES)[values.text("language") or "en"]
    return [f"Reports to senders and the folders of new mailboxes are in {name}."]


LANGUAGE = Step(
    "language",
    "Language",
    "The language in which the server writes to people. Each can choose another one for the console.",
    (
        Field(
            name="language",
            title="Language",
            help="Of reports to senders, and of the names of folders such as Drafts and Sent in new mailboxes.",
            kind=Kind.CHOICE,
            choices=_LANGUAGES,
            read=choice(*(word for word, _ in _LANGUAGES)),
            default="en",
        ),
    ),
    add=_add,
    words=_words,
)
