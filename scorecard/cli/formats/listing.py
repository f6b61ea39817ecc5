"""Lists of flat rows: a table, JSON, one JSON object a line, or CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scorecard.cli.formats.sheet import table
from scorecard.cli.text import visible


def listing(form: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Render rows.

    Args:
        form: table, json, ndjson or csv.
        columns: the keys, in their order.
        rows: each with a value for every key.
    """
    found = list(rows)
    if form == "json":
        return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if form == "ndjson":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    if form == "csv":
        return table(columns, ([row[column] for column in columns] for row in found))
    return plain(columns, found)


def plain(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns of text as wide as what stands in them; an empty column is left out."""
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    head = [columns[index].replace("_", " ") for index in used]
    body = [[row[index] for index in used] for row in cells]
    widths = [max(len(row[index]) for row in [head, *body]) for index in range(len(head))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in [head, *body]]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    return visible(str(value))
