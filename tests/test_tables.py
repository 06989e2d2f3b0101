"""Tables as text: aligned, Markdown and CSV."""

from __future__ import annotations

from landslide_zoo.tables import csv_table, markdown_table, text_table


def test_columns_of_a_text_table_are_aligned() -> None:
    assert text_table(("model", "F1"), [("unet", "0.7"), ("a", "")]) == "model  F1\nunet   0.7\na"


def test_a_markdown_table_without_rows_is_its_header() -> None:
    assert markdown_table(("a", "b"), []) == "| a | b |\n| --- | --- |"


def test_csv_has_the_columns_of_all_rows_and_quotes_commas() -> None:
    assert csv_table([{"a": 1}, {"b": "x, y"}]) == 'a,b\n1,\n,"x, y"\n'
