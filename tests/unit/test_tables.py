"""Tables for people."""

from __future__ import annotations

from spigot.commands.tables import Column, table

COLUMNS = (Column("ID"), Column("LANE", cut="start"), Column("REASON", cut="end"))
ROWS = [("01A", "/github-webhook/ octo/hello", "404 there is no such job"), ("01B", "/x", "")]


def test_columns_are_aligned_under_their_headings() -> None:
    assert table(COLUMNS, ROWS, None) == [
        "ID   LANE                         REASON",
        "01A  /github-webhook/ octo/hello  404 there is no such job",
        "01B  /x",
    ]


def test_a_table_that_is_too_wide_is_cut_where_it_may_be() -> None:
    lines = table(COLUMNS, ROWS, 40)

    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("01A  …")
    assert "octo/hello" in lines[1]
    assert lines[1].endswith("…")


def test_a_terminal_too_narrow_for_any_table_still_shows_every_column() -> None:
    assert table(COLUMNS, ROWS, 1)[1] == "01A  …o/hello  404 the…"


def test_no_rows_make_a_heading_alone() -> None:
    assert table(COLUMNS, [], None) == ["ID  LANE  REASON"]
