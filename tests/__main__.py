"""All tests, then once more, alone, the few that failed: `python -m tests [OPTIONS OF PYTEST]`.

The suite keeps every core busy with thousands of kernels on five engines. What fails in that crowd
and passes alone is unsteady: a test that cannot bear the load, or a race that only load brings out.
Either is to be mended, so each is named at the end; neither says that the change under test is wrong,
so it does not fail the run. What fails alone, too, does, and so do more than MOST failures.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = 1  # how pytest exits when tests ran and some failed
RECORD = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
"""Which tests have failed; what the cache has beside it, such as other projects' suites, is kept."""
MOST = 5  # of some four thousand; more is no accident


def pytest(*options: str) -> int:
    # Thousands of processes import what is here: it is compiled once, whatever is usual on this machine.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", *options]
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # it has heard of it as well, and tidies up
                continue


def failures() -> list[str]:
    return sorted(json.loads(RECORD.read_text())) if RECORD.exists() else []


def main(options: list[str]) -> int:
    RECORD.unlink(missing_ok=True)
    status = pytest(*options)
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
