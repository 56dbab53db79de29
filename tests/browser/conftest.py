"""A real JupyterLab, and a real Chromium looking at it.

`SCREENSHOTS` names a directory that keeps what the browser showed; without it
the pictures go to pytest's temporary directory.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import KERNEL, PATIENCE, Lab

QUIET = {"fetchNews": "false", "checkForUpdates": False}  # neither asks nor calls home


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium, without a window.

    Not for the session: Playwright keeps an event loop running in this thread as long as it is
    open, and no asynchronous test could run after it.
    """
    with started() as browser:
        yield browser


@contextmanager
def started(*arguments: str) -> Iterator[Browser]:
    """A Chromium that was started with these arguments."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "no Chromium here; install the distribution's package chromium"
    args = [*arguments, *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # its own wall refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=args)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[tuple[str, Path]]:
    """JupyterLab on a copy of the example notebooks; yields its address and that directory."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, repository) as served:
        yield served


@contextmanager
def serving(home: Path, repository: Path, *, token: str = "", **env: str) -> Iterator[tuple[str, Path]]:
    """JupyterLab with a home and an environment of its own, on a copy of the example notebooks."""
    notebooks = home / "notebooks"
    shutil.copytree(repository / "examples" / "notebooks", notebooks)
    settings = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(QUIET))
    lab = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"),
            *(f"--notebook-dir={notebooks}", f"--IdentityProvider.token={token}", "--ServerApp.password="),
            *(f"--LabServerApp.user_settings_dir={home / 'settings'}", "--ServerApp.disable_check_xsrf=True"),
        ],
        env={**os.environ, "HOME": str(home), "JUPYTER_PLATFORM_DIRS": "1", **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _address(lab), notebooks
    finally:
        lab.terminate()
        lab.wait(PATIENCE)


def _address(lab: subprocess.Popen[str]) -> str:
    """Wait until the server says where it listens; keep reading its log so that it never blocks."""
    said: list[str] = []
    assert lab.stderr
    for line in lab.stderr:
        said.append(line)
        if (address := line.rpartition(" ")[2].strip().partition("?")[0]).startswith("http://"):
            threading.Thread(target=_drain, args=(lab.stderr,), name="jupyterlab's log").start()
            return address.rpartition("/lab")[0]
    raise AssertionError("JupyterLab did not start:\n" + "".join(said))


def _drain(log: IO[str]) -> None:
    with log:
        for _ in log:
            pass


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go."""
    asked = os.environ.get("SCREENSHOTS")
    directory = Path(asked) if asked else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def lab(
    chromium: Browser, server: tuple[str, Path], screenshots: Path, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """A fresh browser window on JupyterLab; a picture of it is taken at the end, whatever happened."""
    with window(chromium, server, screenshots / f"{request.node.name.removeprefix('test_')}.png") as lab:
        yield lab


@contextmanager
def window(chromium: Browser, server: tuple[str, Path], picture: Path, kernel: str = KERNEL) -> Iterator[Lab]:
    """A browser window; in the end a picture of it is taken, and its kernels are shut down."""
    address, notebooks = server
    context = chromium.new_context(viewport={"width": 1200, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    try:
        yield Lab(page, address, notebooks, kernel)
    finally:
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.screenshot(path=picture)
        for session in page.request.get(f"{address}/api/sessions").json():
            page.request.delete(f"{address}/api/sessions/{session['id']}")
        context.close()


@pytest.fixture
def picture(lab: Lab, screenshots: Path) -> Callable[[str], None]:
    """Take a picture in the middle of a test."""
    return lambda name: lab.page.screenshot(path=screenshots / f"{name}.png") and None
