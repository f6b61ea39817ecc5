"""Which drill a spec is for."""

from __future__ import annotations

from scorecard.drill.report import DrillReport
from scorecard.drill.restore import Setting, restore
from scorecard.drill.snapshot import restore_snapshot
from scorecard.drill.spec import DrillSpec


def run_drill(spec: DrillSpec, setting: Setting) -> DrillReport:
    """Carry out a drill, of a dump or of a snapshot. Raises nothing: the report says what happened."""
    return restore_snapshot(spec, setting) if spec.source.rds is not None else restore(spec, setting)
