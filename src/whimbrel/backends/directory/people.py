"""Finding people by the words of their names and addresses: users and groups of users.cfg, and replicated people."""

from collections.abc import Callable, Sequence

from whimbrel.backends.directory import index
from whimbrel.backends.directory.index import GROUP
from whimbrel.backends.directory.words import end_of
from whimbrel.core.address import Address
from whimbrel.core.departure import Departure
from whimbrel.core.directory import Kind, Listed, PeopleSource
from whimbrel.core.people import Access, Person
from whimbrel.core.record import Record

Rows = Callable[..., list[tuple[object, ...]]]


def listed_people(
    rows: Rows,
    sources: Sequence[PeopleSource],
    words: tuple[str, ...],
    domains: frozenset[str] | None,
    limit: int,
) -> tuple[Listed, ...]:
    """`rows` asks users.idx. Who may not sign in any more is in no address book."""
    within = "" if domains is None else f"AND d.name IN ({', '.join('?' * len(domains))}) "
    other = "AND EXISTS(SELECT 1 FROM word o WHERE o.id = n.id AND o.word >= ? AND o.word < ?) "
    query = (
        "SELECT DISTINCT n.kind, n.name, d.name, n.data FROM word w JOIN node n ON n.id = w.id "
        f"JOIN node d ON d.id = n.domain WHERE w.word >= ? AND w.word < ? {within}{other * (len(words) - 1)}LIMIT ?"
    )
    values = [words[0], end_of(words[0]), *sorted(domains or ())]
    for word in words[1:]:
        values += [word, end_of(word)]
    people: dict[str, Listed] = {}
    for kind, name, domain, data in rows(query, *values, limit):
        record = Record(index.unpack(str(data)))
        if kind == GROUP or (record.part(Access).enabled and not record.part(Departure).left):
            address = Address(str(name), str(domain))
            of = Kind.GROUP if kind == GROUP else Kind.USER
            people[address.key] = Listed(of, record.part(Person).full_name, address)
    for source in sources:
        for person in source.search(words, domains, limit):
            address = Address(person.name, person.domain)
            if address.key not in people or not people[address.key].name:
                people[address.key] = Listed(Kind.USER, str(person.texts.get("full-name", "")), address)
    return tuple(sorted(people.values(), key=_order)[:limit])


def _order(person: Listed) -> tuple[str, str]:
    return person.name.casefold() or person.address.key, person.address.key
