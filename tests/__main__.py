"""All tests, then once more, alone, the few that failed: `python -m tests [OPTIONS OF PYTEST]`.

The suite keeps every core busy with thousands of kernels on five engines. What fails in that crowd
and passes alone is unsteady: a test that cannot bear the load, or a race that only load brings out.
Either is to be mended, so each is named at the end; neither says that the change under test is wrong,
so it does not fail the run. What fails alone, too, does, and so do more than MOST failures.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = 1  # how pytest exits when tests ran and some failed
MOST = 5  # of some four thousand; more is no accident


def pytest(*options: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *options], cwd=ROOT, check=False).returncode


def failures() -> list[str]:
    record = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
    return sorted(json.loads(record.read_text())) if record.exists() else []


def main(options: list[str]) -> int:
    status = pytest("--cache-clear", *options)
    failed = failures()
    if status != FAILED or not 0 < len(failed) <= MOST:
        return status
    print(f"\nOnce more, alone: {len(failed)} of the tests have failed.", flush=True)
    status = pytest(*options, "--numprocesses=0", "--last-failed", "--last-failed-no-failures=none")
    for name in sorted(set(failed) - set(failures())):
        print(f"UNSTEADY {name}: failed beside other tests, passed alone", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
