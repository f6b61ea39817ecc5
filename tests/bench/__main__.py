"""`make bench`: every `bench_*.py` of this folder in a process of its own; each prints ratios within one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run those named on the command line, or all; 1 when one missed its goal."""
    wanted = sys.argv[1:]
    failed = []
    for script in sorted(HERE.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        if wanted and name not in wanted:
            continue
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"tests.bench.{script.stem}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.stdout.write(f"\nmissed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
