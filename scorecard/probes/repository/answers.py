"""Which function answers which question, in the child."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scorecard.drill.evidence import restore_of, why_no_report
from scorecard.drill.report import ReportError, read_report
from scorecard.evidence.backups import Restore
from scorecard.model import Cause
from scorecard.probes.repository import questions as q
from scorecard.probes.repository.history import find_structure, last_changed
from scorecard.probes.repository.html import read_html
from scorecard.probes.repository.markdown import read_page
from scorecard.probes.repository.objects import list_files, locate, read_file, read_text
from scorecard.probes.repository.pages import parse_page, parsed
from scorecard.probes.repository.records import parse_record
from scorecard.probes.repository.rules import parse_rules


def _record(question: q.ReadRecord) -> q.ParsedRecord:
    return parse_record(read_text(question.file), question.file.path)


def _rules(question: q.ReadRules) -> q.ParsedRules:
    return parse_rules(read_text(question.file), question.file.path, declared=question.declared)


def _drill(question: q.ReadDrill) -> Restore:
    path = question.file.path
    try:
        return restore_of(read_report(read_file(question.file), name=path), name=path)
    except ReportError as error:
        raise q.UnreadableError(Cause.BAD_RESPONSE, why_no_report(error)) from None


def _page(question: q.ReadPage) -> q.ParsedPage:
    return parse_page(read_text(question.file), question.file.path, fragment=question.fragment, alerts=question.alerts)


def _site_page(question: q.ReadSitePage) -> q.ParsedPage:
    read = read_html if question.html else read_page
    return parsed(read(question.text), question.url, fragment=question.fragment, alerts=question.alerts)


def _text(question: q.ReadText) -> q.Text:
    return q.Text(read_text(question.file))


ANSWERS: Final[Mapping[str, tuple[type[Any], Callable[[Any], object]]]] = {
    "Locate": (q.Locate, locate),
    "ListFiles": (q.ListFiles, list_files),
    "LastChanged": (q.LastChanged, last_changed),
    "FindStructure": (q.FindStructure, find_structure),
    "ReadText": (q.ReadText, _text),
    "ReadRecord": (q.ReadRecord, _record),
    "ReadRules": (q.ReadRules, _rules),
    "ReadDrill": (q.ReadDrill, _drill),
    "ReadPage": (q.ReadPage, _page),
    "ReadSitePage": (q.ReadSitePage, _site_page),
}
