"""Names of columns: each constant is the place of its name in every table that has it."""

from typing import get_args

import pytest

from whimbrel.core import rows

TABLES = {
    rows.FLAG_COLUMNS: rows.FlagRow,
    rows.META_COLUMNS: rows.MetaRow,
    rows.SEARCH_COLUMNS: rows.SearchRow,
    rows.SORT_COLUMNS: rows.SortRow,
    rows.PARTS_COLUMNS: rows.PartsRow,
}


@pytest.mark.parametrize("columns", TABLES)
def test_each_column_has_a_constant_that_is_its_place(columns: tuple[str, ...]) -> None:
    assert [getattr(rows, name.upper()) for name in columns] == list(range(len(columns)))
    assert len(get_args(TABLES[columns])) == len(columns)


def test_what_a_row_can_be_asked_to_hold_is_named_like_its_column() -> None:
    assert all(rows.SEARCH_COLUMNS[place] == name for name, place in rows.HELD.items())
    assert all(rows.META_COLUMNS[place] == name for name, place in rows.CELLS.items())
