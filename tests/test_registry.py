"""Checklists that a person wrote, and what is said of a mistake: file, line, key and the nearest known one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorecard.registry import RegistryError, installed, read_checklist

GOOD = """name: ours
version: 1
rows:
  - id: health-endpoints
    risk: critical
    thresholds: {samples_to_fall: 4}
required_rows: [health-endpoints]
levels: {nearly_within: 10}
"""


def test_a_good_one_is_read() -> None:
    assert read_checklist(GOOD, "ours.yaml", installed().rows).required_rows == {"health-endpoints"}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("version: 1", "versoin: 1", "ours.yaml:2: versoin: unknown key; did you mean `version`?"),
        ("risk:", "rsk:", "ours.yaml:5: rows[0].rsk: unknown key; did you mean `risk`?"),
        ("nearly_within", "nearly-within", "levels.nearly-within: unknown key; did you mean `nearly_within`?"),
        ("samples_to_fall", "sample_to_fall", "did you mean `samples_to_fall`?"),
        ("[health-endpoints]", "[health-endpoint]", "did you mean `health-endpoints`?"),
        ("rows:", "zzzzz: 1\nrows:", "ours.yaml:3: zzzzz: unknown key"),
        ("- id: health-endpoints", "- id: helth-endpoints", "did you mean `health-endpoints`?"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_the_nearest_word(right: str, wrong: str, said: str) -> None:
    with pytest.raises(RegistryError) as caught:
        read_checklist(GOOD.replace(right, wrong, 1), "ours.yaml", installed().rows)
    assert said in str(caught.value)


def test_a_checklist_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="production-readiness"):
        installed().checklist("production-readines", tmp_path)
