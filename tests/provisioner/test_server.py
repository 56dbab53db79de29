"""A real Jupyter Server: what its users read when a kernel does not start."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.provisioner.conftest import FAILURE
from tests.provisioner.kernels import until

pytestmark = pytest.mark.usefixtures("no_leftovers")


@contextlib.contextmanager
def serving(tmp_path):
    """Run a server; hand out a function that posts to its API and returns status and answer."""
    options = ["--allow-root", "--port=0", "--no-browser", "--ServerApp.root_dir=."]
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "jupyter_server", *options], stderr=log, stdout=log)
    notes = tmp_path / "runtime"
    try:
        until(lambda: any(note.read_text().endswith("}") for note in notes.glob("jpserver-*.json")))
        note = json.loads(next(notes.glob("jpserver-*.json")).read_text())
        until(lambda: answers(note["url"]))
        yield lambda path, body: post(note["url"] + path, note["token"], body)
    finally:
        server.kill()  # asked politely, jupyter_server 2.21 hangs after any kernel that did not start
        server.wait()
        log.close()


def answers(url):
    try:
        with urllib.request.urlopen(url + "api", timeout=60) as response:
            return response.status == 200
    except urllib.error.URLError:  # it notes its address a little before it listens there
        return False


def post(url, token, body):
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def session(kernel):
    """Return what JupyterLab posts when a notebook is opened."""
    return {"path": "a.ipynb", "type": "notebook", "name": "a", "kernel": {"name": kernel}}


def test_users_read_why(jupyter, tmp_path):
    """A refused policy and a failed start are answered with their sentence, which JupyterLab shows."""
    Path("a.ipynb").touch()
    jupyter.spec("misspelt", config={"memroy": "1g"})
    jupyter.spec("failing", argv=FAILURE)
    with serving(tmp_path) as ask:
        status, answer = ask("api/sessions", session("misspelt"))
        assert (status, "did you mean" in answer) == (500, True)
        status, answer = ask("api/sessions", session("failing"))
        assert (status, "no such luck" in answer) == (500, True)
        status, answer = ask("api/sessions", session("boxed"))
        assert (status, "no such luck" in answer) == (201, False)
