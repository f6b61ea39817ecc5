"""schemathesis finds nothing: no crash, no undeclared answer, nothing invalid taken, nothing valid refused.

A small sample runs here; `FUZZ_EXAMPLES=200` runs as many for each operation, in three minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from scorecard.evidence.pushed import PushedKind
from tests.api.estate import Estate

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")


def test_a_fuzzer_that_reads_our_openapi_finds_nothing(measured: Estate, tmp_path: Path) -> None:
    _, token = measured.store.create_token(
        name="fuzz",
        service="payments",
        kinds=list(PushedKind),
        now=measured.now,
        life=timedelta(days=1),
        created_by="the fuzzer",
    )
    with measured.serving() as port:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"http://127.0.0.1:{port}/api/openapi.json",
                "--max-examples",
                EXAMPLES,
                "--phases",
                "examples,coverage,fuzzing",
                "--continue-on-failure",
                "--no-color",
                "--header",
                f"Authorization: Bearer {token}",
            ],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "examples")},
        )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Tested: 28" in done.stdout or "No issues found" in done.stdout
