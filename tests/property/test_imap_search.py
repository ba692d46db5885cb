"""SEARCH finds what a naive reading of the messages finds."""

import asyncio
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.imapd.house import House
from whimbrel.core.mailbox import FLAGGED, SEEN

WORDS = ("plan", "Apple", "zebra", "M\u00fcller", "two words")
Message = tuple[str, str, str, int, int]
"""Subject, From, text, flags, internal date."""
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from([0, SEEN, FLAGGED, 5]),
        st.integers(0, 5).map(lambda day: 1_600_000_000 + day * 86400),
    ),
    max_size=8,
)  # fmt: skip
Key = tuple[str, object]


def atoms() -> st.SearchStrategy[Key]:
    return st.one_of(
        st.tuples(st.sampled_from(["SUBJECT", "FROM", "BODY", "TEXT"]), st.sampled_from(WORDS)),
        st.tuples(st.sampled_from(["SEEN", "UNSEEN", "FLAGGED", "ALL"]), st.none()),
        st.tuples(st.sampled_from(["SINCE", "BEFORE", "ON"]), st.integers(0, 5)),
        st.tuples(st.just("NUMBERS"), st.integers(1, 8)),
    )


KEYS = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        st.tuples(st.just("NOT"), inner),
        st.tuples(st.just("OR"), st.tuples(inner, inner)),
        st.tuples(st.just("AND"), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


def date(day: int) -> datetime:
    return datetime.fromtimestamp(1_600_000_000 + day * 86400, UTC)


def wire(key: Key) -> str:
    name, value = key
    if name == "NOT":
        return f"NOT {wire(value)}"  # type: ignore[arg-type]
    if name == "OR":
        return f"OR {wire(value[0])} {wire(value[1])}"  # type: ignore[index]
    if name == "AND":
        return f"({' '.join(wire(one) for one in value)})"  # type: ignore[attr-defined]
    if name == "NUMBERS":
        return f"{value}:*"
    if isinstance(value, int):
        return f"{name} {date(value):%d-%b-%Y}"
    return f'{name} "{value}"' if value else name


def meets(key: Key, number: int, message: Message, count: int) -> bool:
    name, value = key
    subject, sender, text, flags, when = message
    if name == "NOT":
        return not meets(value, number, message, count)  # type: ignore[arg-type]
    if name == "OR":
        return any(meets(one, number, message, count) for one in value)  # type: ignore[attr-defined]
    if name == "AND":
        return all(meets(one, number, message, count) for one in value)  # type: ignore[attr-defined]
    if name == "NUMBERS":
        low, high = sorted((int(str(value)), count))
        return low <= number <= high
    if name in ("SINCE", "BEFORE", "ON"):
        own, wanted = datetime.fromtimestamp(when, UTC).date(), date(int(str(value))).date()
        return {"SINCE": own >= wanted, "BEFORE": own < wanted, "ON": own == wanted}[name]
    if name in ("SEEN", "UNSEEN", "FLAGGED", "ALL"):
        return {"SEEN": flags & SEEN, "UNSEEN": not flags & SEEN, "FLAGGED": flags & FLAGGED, "ALL": 1}[name] != 0
    places = {"SUBJECT": [subject], "FROM": [sender], "BODY": [text], "TEXT": [subject, sender, text]}[name]
    return any(str(value).casefold() in place.casefold() for place in places)


@settings(max_examples=60, deadline=None)
@given(MESSAGES, st.lists(KEYS, min_size=1, max_size=6))
def test_search_agrees_with_a_naive_reading(messages: list[Message], keys: list[Key]) -> None:
    async def run() -> None:
        async with House() as house:
            for subject, sender, text, flags, when in messages:
                content = f"Subject: {subject}\r\nFrom: {sender} <x@y.test>\r\n\r\n{text}\r\n"
                await house.deliver(content.encode(), flags=flags, date=when)
            client = await house.signed_in(b"EXAMINE INBOX")
            for key in keys:
                answer = await client.ask(b"SEARCH CHARSET UTF-8 " + wire(key).encode())
                found = [int(number) for number in answer.split()[2:]]
                naive = [
                    number for number, message in enumerate(messages, 1) if meets(key, number, message, len(messages))
                ]
                assert found == naive, wire(key)

    asyncio.run(run())
