"""Promise: a granted secret is in the hands of the code, and nowhere else on this machine."""

import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.docker.leftovers import KERNEL
from sandbox_kernel.host.secrets import Secrets
from sandbox_kernel.policy import Policy
from tests.conformance.conftest import make
from tests.conformance.kernel import Kernel
from tests.provisioner.kernels import until

IN_A_FILE, IN_A_VARIABLE = (f"canary-{secrets.token_hex(16)}" for _ in range(2))
READ = "import os, hashlib; path = os.environ['SANDBOX_SECRETS'] + '/FILE'; value = open(path).read(); "


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def kernel(request, tmp_path_factory) -> Iterator[Kernel]:
    """A kernel with two secrets; its values are made here, and stand in no environment."""
    engine = make(request, request.param)
    try:
        engine.check(Policy())
    except SandboxError as error:
        pytest.skip(f"engine {request.param}: {error}")
    granted = Secrets({"FILE": IN_A_FILE}, {"VARIABLE": IN_A_VARIABLE})
    policy = Policy(secrets=("FILE", "VARIABLE:env"), workspace="none")
    kernel = Kernel(engine, policy, tmp_path_factory.mktemp("notebook"), secrets=granted)
    yield kernel
    kernel.close()


def said(ran) -> str:
    return json.dumps([ran.reply["content"], [message["content"] for message in ran.messages]])


def found_in(name: str, word: str) -> list[str]:
    """Return the processes of this machine in whose command line or environment the word stands."""
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        try:
            if word.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:  # another user's, or gone
            continue
    return found


def test_code_has_them(kernel):
    """What was granted arrives whole: a file for its user alone, in memory, and a variable."""
    digest = f"{READ} print(hashlib.sha256(value.encode()).hexdigest() == '{sha(IN_A_FILE)}')"
    assert kernel.run(digest).text() == "True\n"
    same = f"print(hashlib.sha256(os.environ['VARIABLE'].encode()).hexdigest() == '{sha(IN_A_VARIABLE)}')"
    assert kernel.run(same).text() == "True\n"
    assert kernel.value("oct(os.stat(path).st_mode & 0o777)") == "0o400"
    kernel.run("mounts = [line.split() for line in open('/proc/mounts')]")
    around = "[mount for mount in mounts if path.startswith(mount[1])]"
    assert kernel.value(f"max({around}, key=lambda mount: len(mount[1]))[2]") == "tmpfs"


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def test_no_process_of_the_host_shows_one(kernel):
    """No command line has one, and no environment the one that is a file; a search would find it."""
    other = f"canary-{secrets.token_hex(16)}"
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()", other]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, "X": other}) as careless:
        assert careless.stdout.readline() == b"up\n"
        assert found_in("cmdline", other) == found_in("environ", other) == [str(careless.pid)]
        careless.stdin.close()
    assert not found_in("cmdline", IN_A_FILE)
    assert not found_in("cmdline", IN_A_VARIABLE)
    assert not found_in("environ", IN_A_FILE)


def test_no_engine_knows_one(kernel):
    """Neither the launch nor what a daemon tells of the container has one."""
    sandbox = kernel.sandbox
    shown = f"{sandbox!r} {sandbox.launch!r} {sandbox.policy!r} {sandbox._process.start_message!r}"
    if kernel.sandbox.engine.name == "docker":
        daemon = sandbox.engine.connect()
        (container,) = daemon.containers(f"{KERNEL}={sandbox.launch.name}")
        shown += json.dumps(daemon.inspect(container["Id"]))
        daemon.close()
    assert "canary" not in shown


def test_outputs_do_not_show_one(kernel):
    """Printed, raised, displayed, written by another program, in halves, and as base64."""
    kernel.run(READ)
    showing = {
        "printed": "print(value, os.environ['VARIABLE'])",
        "in halves": "import sys; print(end=value[:9], flush=True); print(value[9:])",
        "by another program": "import subprocess; subprocess.run(['cat', path])",
        "raised": "raise RuntimeError(value)",
        "displayed": "from IPython.display import HTML; display(HTML(f'<b>{value}</b>')); value",
        "encoded": "import base64; print(base64.b64encode(b'u:' + value.encode()).decode())",
    }
    for way, code in showing.items():
        text = said(kernel.run(code))
        assert "canary" not in text, way
        assert "[secret FILE]" in text, way
    assert "canary" not in said(kernel.run("print(path, len(value))"))


def test_the_kernels_log_does_not_show_one(kernel):
    """What the kernel's process writes beside its messages goes to the host's log, masked."""
    kernel.run(f"{READ} import sys; os.write(sys.stderr._original_stdstream_copy, value.encode() + b'\\n')")
    until(lambda: "[secret FILE]" in "".join(kernel.log))
    assert "canary" not in "".join(kernel.log)
