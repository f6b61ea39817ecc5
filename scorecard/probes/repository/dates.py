"""Dates as people write them in documents. Pure."""

from __future__ import annotations

from datetime import date

import re2

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_FORMS = (
    (re2.compile(r"(?:^|\D)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:\D|$)"), (0, 1, 2)),
    (re2.compile(r"(?:^|\D)(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:\D|$)"), (2, 1, 0)),
    (re2.compile(rf"(?i)(?:^|\D)(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})(?:\D|$)"), (2, 1, 0)),
    (re2.compile(rf"(?i)(?:^|\W){_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?:\D|$)"), (2, 0, 1)),
    (re2.compile(rf"(?i)(?:^|\D)(\d{{1,2}})-{_MONTH}-(\d{{4}})(?:\D|$)"), (2, 1, 0)),
)


def find_date(text: str) -> date | None:
    """The first date in a text: 2026-01-31, 31.01.2026, 31 January 2026, January 31, 2026.

    A day and a month in figures are read day first, and month first where only that is a date.
    """
    for form, order in _FORMS:
        match = form.search(text)
        if match:
            year, month, day = (match.groups()[index] for index in order)
            found = _date(year, month, day) or _date(year, day, month)
            if found:
                return found
    return None


def _date(year: str, month: str, day: str) -> date | None:
    name = month[:3].lower()
    try:
        return date(int(year), _MONTHS.index(name) + 1 if name in _MONTHS else int(month), int(day))
    except ValueError:
        return None
