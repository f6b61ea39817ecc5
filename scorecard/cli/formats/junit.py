"""JUnit's XML: a suite per service, a test case per check."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from scorecard.cli.report import Line, Report
from scorecard.cli.text import visible_line
from scorecard.model import ServiceKey, Status


def junit(report: Report) -> str:
    """Render a report.

    A check that fails is a `failure`, one that is unknown an `error`, one that does not apply or was not asked is
    `skipped`. Unknown is never `skipped`: forges take that for satisfied.
    """
    root = ET.Element("testsuites", name="Readiness Scorecard")
    for key in dict.fromkeys(line.service for line in report.lines):
        _suite(root, key, [line for line in report.lines if line.service == key], _not_asked(report, key))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _not_asked(report: Report, key: ServiceKey) -> list[tuple[str, str]]:
    """(row, check) of what was outside the scope; an empty check for a whole row."""
    found = []
    for document in report.documents:
        if (document["service"], document["environment"]) == key:
            found += [(row["id"], check) for row in document["rows"] for check in row["not_asked"]]
            found += [(row, "") for row in document["not_asked"]]
    return found


def _suite(root: ET.Element, key: ServiceKey, lines: list[Line], not_asked: list[tuple[str, str]]) -> None:
    suite = ET.SubElement(root, "testsuite", name=_text(str(key)))
    for line in lines:
        _case(suite, key, line)
    for row, check in not_asked:
        case = ET.SubElement(suite, "testcase", classname=f"{key}.{row}", name=check or row)
        ET.SubElement(case, "skipped", message="not asked")
    suite.set("tests", str(len(suite)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))


def _case(suite: ET.Element, key: ServiceKey, line: Line) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_text(f"{key}.{line.row}"),
        name=_text(line.check or line.row),
        file=_text(line.place.file),
        line=str(line.place.line),
    )
    message = _text(line.said)
    if line.status is Status.FAIL:
        body = ET.SubElement(case, "failure", message=message, type=line.code)
        body.text = _detail(line)
    elif line.status is Status.UNKNOWN:
        body = ET.SubElement(case, "error", message=message, type=line.cause or line.code)
        body.text = _detail(line)
    elif line.status is Status.NOT_APPLICABLE:
        ET.SubElement(case, "skipped", message=f"not applicable: {message}")
    else:
        ET.SubElement(case, "system-out").text = f"{line.status.word}: {message}"


def _detail(line: Line) -> str:
    parts = [
        f"{part.status.word}: {part.name}: {part.message}" for part in line.parts if part.status is not Status.PASS
    ]
    return "\n".join(_text(text) for text in ("", line.rule, *parts, *line.remedy.splitlines(), ""))


def _text(text: str) -> str:
    """XML 1.0 has no way to write a control character."""
    return visible_line(text.replace("\n", " "))
