"""Runs another project's test suite, with plain or with sandboxed kernels, and says how each test ended.

Nothing of these suites is kept here. jupyter_kernel_test is a package made for this use;
nbclient's tests come in its source distribution, which is fetched once for the installed
version and kept in pytest's cache.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path, PurePosixPath

INNER = Path(__file__).parent / "inner"
OURS = "sandbox-kernel"
PLAIN, SANDBOXED, DOCKER = "plain", "sandboxed", "docker"
NOBODY = 65534
"""Whose the files are that a container of root's is to write: it runs as their owner."""
CONFIGURATION = "[pytest]\nasyncio_default_fixture_loop_scope = function\npython_files = *.py\n"
PATIENCE = 900  # seconds for one run of one suite, which takes 150 on an idle machine

Outcomes = dict[str, str]


@dataclass(frozen=True)
class Suite:
    """Files that pytest runs, in a fresh copy each time."""

    name: str
    source: Path
    files: tuple[str, ...]
    """What of the source to run, in this order."""
    pass_on: tuple[str, ...] = ()
    """Environment variables through which its tests talk to their kernels."""

    def run(self, kernels: str, work: Path, only: tuple[str, ...] = (), *, docker_host: str = "") -> Outcomes:
        """Return how each test ended, by its node id; `only` limits the run to some of them. Any thread."""
        work.mkdir(parents=True)
        copy = work / "suite"
        shutil.copytree(self.source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(INNER, copy, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        (work / "pytest.ini").write_text(CONFIGURATION)
        (work / "home").mkdir()
        (work / "tmp").mkdir()
        if kernels == DOCKER and os.geteuid() == 0:
            for path in (copy, work / "tmp", *copy.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-c", work / "pytest.ini", "--rootdir", copy, "-q"),
                *(
                    "-p",
                    "no:cacheprovider",
                    "-o",
                    "junit_family=xunit1",
                    f"--basetemp={work / 'tmp' / 'pytest'}",
                    f"--junitxml={work / 'outcomes.xml'}",
                ),
                *(only or self.files),
            ],
            cwd=copy,
            env=self._environment(kernels, work, docker_host),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        (work / "log.txt").write_text(done.stdout)
        assert done.returncode in {0, 1}, f"{self.name} did not run:\n{done.stdout[-5000:]}"
        return _outcomes(work / "outcomes.xml", copy)

    def _environment(self, kernels: str, work: Path, docker_host: str) -> dict[str, str]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "SANDBOX_KERNEL", "PYTEST", "IPYTHON"))
        }
        environment |= {
            "HOME": str(work / "home"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "JUPYTER_PLATFORM_DIRS": "1",
        }
        if kernels == DOCKER:
            environment |= {
                "DOCKER_HOST": docker_host,
                "SANDBOX_KERNEL_ENGINE": "docker",
                "SANDBOX_KERNEL_IMAGE": "sandbox-kernel/scipy",
            }
        if kernels != PLAIN:
            environment |= {
                "JUPYTER_DEFAULT_PROVISIONER_NAME": "sandbox-provisioner",
                "SANDBOX_KERNEL_WORKSPACE": "rw",
                "SANDBOX_KERNEL_ENV": ",".join(self.pass_on),
                "SANDBOX_KERNEL_MOUNTS": f"{work / 'tmp'}:rw",
            }
        return environment


@dataclass(frozen=True)
class Kept:
    """How suites end with plain kernels, which nothing of ours has to do with: from run to run of the tests.

    It is kept only after a comparison that had no doubts, and known by all that it comes of: the suite, the
    interpreter and every package but ours.
    """

    directory: Path

    def load(self, suite: Suite) -> Outcomes | None:
        """Return how a suite has ended, None if that is not known."""
        path = self._path(suite)
        return json.loads(path.read_text()) if path.exists() else None

    def save(self, suite: Suite, outcomes: Outcomes) -> None:
        """Keep it, and forget what was kept of other environments."""
        path = self._path(suite)
        for old in self.directory.glob(f"plain-{suite.name}-*"):
            old.unlink(missing_ok=True)
        new = path.with_name(f"new-{path.name}")
        new.write_text(json.dumps(outcomes))
        new.rename(path)

    def _path(self, suite: Suite) -> Path:
        packages = sorted(f"{each.name} {each.version}" for each in distributions() if each.name != OURS)
        digest = hashlib.sha256("\n".join([sys.version, str(os.geteuid()), *packages]).encode())
        for folder in (suite.source, INNER):
            for file in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".ipynb"}):
                digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
        return self.directory / f"plain-{suite.name}-{digest.hexdigest()[:16]}.json"


def kernel_protocol() -> Suite:
    """Return jupyter_kernel_test: each kind of message, asked and answered."""
    return Suite("jupyter_kernel_test", INNER, ("kernel_protocol.py", "behind_the_wall.py"))


def nbclient(cache: Path) -> Suite:
    """Return nbclient's own suite, of the version that is installed."""
    release = f"nbclient-{version('nbclient')}"
    if not (cache / release).exists():
        _download(release, cache)
    return Suite(
        "nbclient",
        cache / release,
        ("tests", "behind_the_wall.py"),
        ("IPYKERNEL_CELL_NAME", "NBEXECUTE_TEST_PARALLEL_TMPDIR"),
    )


def _download(release: str, cache: Path) -> None:
    name, _, number = release.rpartition("-")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name),
            *("--dest", cache, f"{name}=={number}"),
        ],
        check=True,
    )
    unpacked = cache / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(cache / f"{release}.tar.gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if member.isfile() and path.is_relative_to(f"{release}/tests") and ".." not in path.parts:
                (unpacked / path).parent.mkdir(parents=True, exist_ok=True)
                (unpacked / path).write_bytes(archive.extractfile(member).read())
    (unpacked / release).rename(cache / release)


def _outcomes(report: Path, suite: Path) -> Outcomes:
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        ends = {child.tag for child in case}
        end = next((end for end in ("error", "failure", "skipped") if end in ends), "passed")
        outcomes[_node_id(case.attrib["classname"], case.attrib["name"], suite)] = end
    return outcomes


def _node_id(classname: str, name: str, suite: Path) -> str:
    """Return what pytest takes on its command line: the report knows modules and classes only as one."""
    words = classname.split(".")
    for end in range(len(words), 0, -1):
        file = "/".join(words[:end]) + ".py"
        if (suite / file).exists():
            return "::".join([file, *words[end:], name])
    raise AssertionError(f"{classname}::{name} is of no file in {suite}")
