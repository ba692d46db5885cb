"""The section `filters` of the configuration, made of the table of filters: a new filter's settings stand in it."""

from collections.abc import Sequence
from typing import Any

from pydantic import create_model

from whimbrel.core.settings import Section, setting
from whimbrel.flow.judging.filter import Filter


def filters_section(filters: Sequence[type[Filter]]) -> type[Section]:
    """A field for each section that a filter of the table has, in its order. ValueError: two have one tag."""
    fields: dict[str, Any] = {}
    kinds: dict[str, type[Section]] = {}
    for filter in filters:
        kind = filter.settings
        if kind is None or kind in kinds.values():
            continue
        if not kind.tag or kind.tag in kinds:
            raise ValueError(f"filter {filter.name}: its section needs a tag of its own, not '{kind.tag}'")
        kinds[kind.tag] = kind
        help = " ".join((kind.__doc__ or "").split())
        fields[kind.tag.replace("-", "_")] = (kind, setting(kind(), help=help))
    made = create_model(
        "FiltersSection",
        __base__=Section,
        __doc__="What is looked at before a message is accepted.",
        __module__=__name__,
        **fields,
    )
    made.tag = "filters"
    return made
