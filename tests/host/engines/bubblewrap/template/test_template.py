"""Forked kernels: behind the same walls, and not to be told from those that were started."""

import ast
import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine, birth
from sandbox_kernel.host.engines.bubblewrap.landlock import abi, signals_only
from sandbox_kernel.host.engines.bubblewrap.limits import AppliedLimits
from sandbox_kernel.host.engines.bubblewrap.template import Templates, clear_scratch, search, templates
from sandbox_kernel.host.engines.bubblewrap.template.template import PROGRAM
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel
from tests.provisioner.kernels import until

LOOK = Path(__file__).with_name("look.py").read_text()
NONE = Policy(engine="bubblewrap", workspace="none")


@pytest.fixture
def forking(monkeypatch):
    """Have the first kernel of a kind forked already, and from a template that is this test's own."""
    own = Templates()
    monkeypatch.setattr(templates, "LAUNCHES", 1)
    monkeypatch.setattr(templates, "WAIT", 60.0)
    for module in (birth, sys.modules["sandbox_kernel.host.engines.bubblewrap.engine"]):
        monkeypatch.setattr(module, "TEMPLATES", own)
    yield own
    own.rest()


@contextlib.contextmanager
def launched(directory, policy=NONE, **options):
    kernel = Kernel(BubblewrapEngine(), policy, directory, **options)
    try:
        yield kernel
    finally:
        kernel.close()


def seen(directory, policy, code=LOOK, **options):
    with launched(directory, policy, **options) as kernel:
        text = kernel.run(code).text()
        assert not kernel.log
        return ast.literal_eval(text)


def refuse_limits(monkeypatch):
    """Have no fork put under a sandbox's limits."""

    def refuse(self, pid):
        raise LimitUnenforceableError("No.")

    monkeypatch.setattr(AppliedLimits, "admit", refuse)


def template_of(own):
    return next(slot.template for slot in own._slots.values() if slot.template)


@pytest.mark.parametrize("workspace", ["none", "ro", "rw"])
def test_a_forked_kernel_finds_nothing_by_which_to_tell(forking, tmp_path, workspace):
    """Privileges, limits, mounts, files, variables, signals, sys: all as in one that was started."""
    policy = Policy(engine="bubblewrap", workspace=workspace)
    started, forked = (seen(tmp_path, policy, fork=fork) for fork in (False, True))
    assert forking.forked == 1
    for name, value in started.items():
        assert forked[name] == value, name


def test_its_program_cannot_be_written_to(forking, tmp_path):
    """/proc/self/exe is a way around all mounts of the sandbox: it leads by a mount that is read-only."""
    code = "import os; print(os.statvfs('/proc/self/exe').f_flag & os.ST_RDONLY, os.statvfs('/').f_flag & 1)"
    with launched(tmp_path) as kernel:
        assert kernel.run(code).text() == "1 1\n"
        mapped = "import os; open('/proc/self/map_files/' + os.listdir('/proc/self/map_files')[0])"
        assert kernel.run(mapped).status == "error"
    assert forking.forked == 1


MARKS = """
import os
def _found(marks):
    found = set()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, _, _, _, *name = line.split(maxsplit=5)
            if "r" in rights and not (name and name[0].startswith(("[v", "/usr/lib"))):
                first, last = (int(end, 16) for end in span.split("-"))
                memory.seek(first)
                try:
                    content = memory.read(last - first)
                except OSError:
                    continue
                found |= {mark for mark in marks if bytes(reversed(mark)) in content}
    return sorted(found)
print(_found(MARKS))
"""
"""Looks through its own memory for words that are written backwards in the code itself."""


def test_nothing_of_the_host_is_in_its_memory(forking, tmp_path, monkeypatch):
    """No variable of the host's, nor its name: a template has been told neither."""
    monkeypatch.setenv("API_TOKEN", "hunter-of-tokens-1f3a")
    # A short name may be there by chance.
    host = [name for name in (socket.gethostname(),) if len(name) > 6]
    words = ("hunter-of-tokens-1f3a", "the-kernel-itself-91c2", *host)
    marks = [word.encode()[::-1] for word in words]
    with launched(tmp_path) as kernel:
        kernel.run("known = 'the-kernel-' + 'itself-91c2'")
        found = kernel.run(MARKS.replace("MARKS", repr(marks))).text()
    assert found == f"[{marks[1]!r}]\n"
    assert forking.forked == 1


def test_two_forks_draw_different_numbers(forking, tmp_path):
    """What would be the same in all forks of one process is not: seeds, keys."""
    policy = Policy(
        engine="bubblewrap", workspace="none", preload=("numpy.random", "multiprocessing.process")
    )
    code = """
import random, numpy, multiprocessing.process as process, uuid, tempfile
print([random.random(), numpy.random.rand(), bytes(process.current_process().authkey), uuid.uuid4().hex,
       next(tempfile._get_candidate_names())])
"""
    one, other = (seen(tmp_path, policy, code) for _ in range(2))
    assert not set(one) & set(other)
    assert forking.forked == 2


def test_modules_that_were_asked_for_are_there(forking, tmp_path):
    """And what they have cached is as the kernel would find it."""
    policy = Policy(engine="bubblewrap", workspace="none", preload=("pandas", "matplotlib.pyplot"))
    code = """
import sys
had = {name for name in ("pandas", "matplotlib.pyplot") if name in sys.modules}
import matplotlib, os, platform
print([had, matplotlib.get_configdir(), matplotlib.get_cachedir(), platform.node(), os.listdir("/tmp"),
       matplotlib.get_backend(), os.environ["MPLBACKEND"]])
"""
    forked = seen(tmp_path, policy, code)
    assert forking.forked == 1
    assert forked[0] == {"pandas", "matplotlib.pyplot"}
    assert forked[1:] == seen(tmp_path, policy, code, fork=False)[1:]


IMPORTS = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
from sandbox_template.imports import KERNELS
for name in ("ipykernel.kernelapp", *KERNELS):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
print(set(sys.modules))
"""


def test_a_template_has_imported_all_that_a_first_cell_needs(tmp_path):
    """What is missing on its list, with the libraries that are installed, each fork imports anew."""
    command = [sys.executable, "-Xfrozen_modules=off", "-c", IMPORTS, PROGRAM]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    with launched(tmp_path, fork=False) as kernel:
        inside = ast.literal_eval(kernel.run("import sys; print(set(sys.modules))").text())
    assert inside - ast.literal_eval(run.stdout) <= {"_sandbox_output", "_sandbox_profile", "runpy"}


def test_libraries_that_have_threads_are_forked_without(forking, tmp_path):
    """pyarrow starts one as it is imported, and pandas imports pyarrow."""
    policy = Policy(engine="bubblewrap", workspace="none", preload=("pyarrow",))
    code = (
        "import os, pyarrow; print([pyarrow.array([1, 2]).to_pylist(), 'JE_ARROW_MALLOC_CONF' in os.environ])"
    )
    assert seen(tmp_path, policy, code) == [[1, 2], False]
    assert forking.forked == 1


SHARING = """
import mmap
memory = mmap.mmap(-1, 5)
memory[:] = b"clean"
"""
MEET = "import sys; memory = sys.modules['sharing'].memory; print(bytes(memory)); memory[:] = b'taken'"


def test_memory_that_forks_would_share_is_not_forked(forking, tmp_path, monkeypatch):
    """A lock for processes, say, that a library makes as it is imported: one fork holds it for all."""
    (tmp_path / "sharing.py").write_text(SHARING)
    recipe_for = birth.recipe_for

    def with_it(*args):
        recipe, folder = recipe_for(*args), str(tmp_path)
        places, variables = (*recipe.directories, folder), (*recipe.env, ("PYTHONPATH", folder))
        return replace(recipe, modules=("sharing",), directories=places, env=variables)

    monkeypatch.setattr(birth, "recipe_for", with_it)
    with launched(tmp_path) as one, launched(tmp_path) as other:
        met = [kernel.run(MEET) for kernel in (one, other)]
    assert [each.status for each in met] == ["error"] * 2, [each.text() for each in met]
    assert forking.forked == 0


def test_a_module_that_is_not_there_costs_nothing_but_the_fork(forking, tmp_path, caplog):
    """It says once which one it was, and kernels start the usual way."""
    policy = Policy(engine="bubblewrap", workspace="none", preload=("pandsa",))
    for _ in range(2):
        with launched(tmp_path, policy) as kernel:
            assert kernel.value("1 + 1") == "2"
    assert forking.forked == 0
    assert [record.getMessage().count("No module named 'pandsa'") for record in caplog.records] == [1]


def test_a_template_that_dies_is_replaced(forking, tmp_path, caplog):
    """The launch that finds it dead starts its kernel the usual way and says so; the next one forks again."""
    for expected in (1, 1, 2):
        with launched(tmp_path) as kernel:
            assert kernel.value("1 + 1") == "2"
        assert forking.forked == expected
        if not caplog.records:
            os.kill(template_of(forking).pid, signal.SIGKILL)
    assert "status -9" in caplog.text
    assert len(caplog.records) == 1


def test_nobody_waits_for_a_template(forking, tmp_path, monkeypatch):
    """The first launch that wants one starts it; until it is ready, kernels start the usual way."""
    monkeypatch.setattr(templates, "WAIT", 0.0)
    with launched(tmp_path):
        template = template_of(forking)
        assert forking.forked == 0
    assert template.is_ready(60)
    with launched(tmp_path):
        assert forking.forked == 1


def test_a_kernel_outlives_its_template(forking, tmp_path):
    """It is its sandbox's, and nothing of the template's."""
    with launched(tmp_path) as kernel:
        forking.rest()
        assert kernel.value("1 + 1") == "2"


def test_a_template_that_is_killed_while_it_imports_leaves_nothing(tmp_path):
    """Its directory for caches goes with the next launch, or `sandbox-kernel clean`."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    left, another = (
        Path(f"/tmp/sandbox-kernel-template-{gone.pid}-x"),
        Path("/tmp/sandbox-kernel-template-1-x"),
    )
    for place in (left, another):
        (place / "deep").mkdir(parents=True)
    try:
        assert str(left) in BubblewrapEngine().sweep()
        assert not left.exists()
        assert another.exists()
        with pytest.MonkeyPatch.context() as patch:  # as if another host had removed it meanwhile
            patch.setattr(Path, "glob", lambda *_: [left])
            assert clear_scratch() == []
    finally:
        shutil.rmtree(another)


def test_new_packages_make_a_new_template(forking, tmp_path, monkeypatch):
    """The old one has imported what is no longer there, and ends."""
    with launched(tmp_path):
        old = template_of(forking).pid
    monkeypatch.setattr(
        templates, "fingerprint", lambda _: "of an environment in which something was installed"
    )
    with launched(tmp_path):
        assert template_of(forking).pid != old
        assert not Path(f"/proc/{old}").exists()
    assert forking.forked == 2


def test_what_was_granted_a_variable_is_not_forked(forking, tmp_path, monkeypatch):
    """The template has not seen it, and may have imported what heeds it."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    with launched(tmp_path, Policy(engine="bubblewrap", workspace="none", env=("PYTHONHASHSEED",))) as kernel:
        assert kernel.value("__import__('sys').flags.hash_randomization") == "0"
    assert forking.forked == 0


def test_another_environment_is_not_run_outside(forking, tmp_path):
    """A template is a process without a wall; only our own interpreter may be one."""
    argv = ("/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    assert templates.recipe_for(argv, {}, (), None) is None
    assert templates.recipe_for((sys.executable, "x.py", *argv[3:]), {}, (), None) is None
    assert templates.recipe_for((sys.executable, "-m", "other", *argv[3:]), {}, (), None) is None
    assert templates.recipe_for((sys.executable, *argv[1:]), {}, (), None) is not None


def test_a_folder_on_the_search_path_that_code_may_write_to(forking, tmp_path, monkeypatch, caplog):
    """Python would import `sitecustomize` from there when a template begins: from now on there is none."""
    (tmp_path / "project/src").mkdir(parents=True)
    monkeypatch.setattr(search, "_added", lambda: [str(tmp_path / "project/src"), "/usr/lib/x"])
    with launched(tmp_path / "project"):
        old = template_of(forking).pid
    with launched(tmp_path / "project", Policy(engine="bubblewrap", workspace="rw")):
        assert not Path(f"/proc/{old}").exists()
    with launched(tmp_path / "project"):
        assert forking.forked == 1
    assert caplog.text.count("looks for modules") == 1


@pytest.mark.parametrize("there", ["nothing", "link", "link to a link", "link to nothing"])
def test_what_code_may_put_on_the_search_path(forking, tmp_path, monkeypatch, there):
    """A folder that is not there yet, or that a link leads to: code could make it, or change the link."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "project").mkdir()
    path = tmp_path / "project/src"
    if there == "link to a link":
        path = tmp_path / "kept/src"
        path.symlink_to(tmp_path / "project/second")
        (tmp_path / "project/second").symlink_to(tmp_path / "kept")
    elif there != "nothing":
        path.symlink_to(tmp_path / ("gone" if there == "link to nothing" else "kept"))
    monkeypatch.setattr(search, "_added", lambda: [str(path)])
    granted = search.elsewhere(templates.our_interpreter())
    assert search.overlap(granted, [str(tmp_path / "project")])
    assert not search.overlap(granted, [str(tmp_path / "other")])
    assert not forking.usable(templates.our_interpreter(), [str(tmp_path / "project")])
    assert not forking.usable(templates.our_interpreter(), [])


def test_the_search_path_is_read_as_python_reads_it(tmp_path, monkeypatch):
    """Lines that are no code and no comment, relative to where they are."""
    (tmp_path / "beside").mkdir()
    lines = ("import os", "# nothing", "", "beside", str(tmp_path), "\0", sys.prefix)
    (tmp_path / "a.pth").write_text("\n".join(lines))
    monkeypatch.setattr(search.site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(search.site, "ENABLE_USER_SITE", False)
    assert search.elsewhere(templates.our_interpreter()) == {str(tmp_path / "beside"), str(tmp_path)}
    assert search.overlap(["/a/b"], ["/a"])
    assert search.overlap(["/a"], ["/a/b"])
    assert not search.overlap(["/a/b"], ["/a/bc"])


def test_where_a_kernels_home_is_somebodys(forking, tmp_path, monkeypatch, caplog):
    """Python would run what it finds there (`usercustomize`) as a template begins, outside of every wall."""
    monkeypatch.setattr(templates, "HOME", str(tmp_path / "home"))
    with launched(tmp_path):
        assert forking.forked == 1
    (tmp_path / "home").mkdir()
    for _ in range(2):
        with launched(tmp_path) as kernel:
            assert kernel.value("1 + 1") == "2"
    assert forking.forked == 1
    assert caplog.text.count("are not forked") == 1


def test_a_template_hears_no_folders_name(forking, tmp_path, monkeypatch):
    """What it has once held, a later fork could find in its memory."""
    told = []
    send = socket.send_fds

    def overheard(control, data, fds):
        told.extend(data)
        return send(control, data, fds)

    monkeypatch.setattr(socket, "send_fds", overheard)
    with launched(tmp_path, Policy(engine="bubblewrap", workspace="rw")) as kernel:
        assert kernel.value("1 + 1") == "2"
    assert forking.forked == 1
    assert told == [b"fork"]


def test_what_a_process_has_from_its_parent_may_change(forking, tmp_path):
    """Limits, the mask of new files: then there is a new template, whose forks do not differ from PID 1."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    with launched(tmp_path):
        old = template_of(forking).pid
    less = (soft if soft != resource.RLIM_INFINITY else 64 << 20) - 4096
    resource.setrlimit(resource.RLIMIT_STACK, (less, hard))
    mask = os.umask(0o027)
    try:
        with launched(tmp_path) as kernel:
            ran = kernel.value("open('/proc/self/status').read().split('Umask:')[1].split()[0]")
            assert not kernel.log
    finally:
        os.umask(mask)
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    assert (ran, forking.forked) == ("0027", 2)
    assert not Path(f"/proc/{old}").exists()


def test_modules_come_from_the_interpreters_own_directories(forking, tmp_path, monkeypatch):
    """What lies in a project that is worked on is not run outside of a wall, whatever it is called."""
    policy = Policy(engine="bubblewrap", workspace="none", preload=("tests.leftovers",))
    with launched(tmp_path, policy) as kernel:
        assert kernel.value("1 + 1") == "2"
    assert forking.forked == 0


def test_a_fork_that_cannot_be_limited_stays_out(forking, tmp_path, monkeypatch):
    """The guest starts a kernel itself, under the limits that hold."""
    refuse_limits(monkeypatch)
    with launched(tmp_path) as kernel:
        assert kernel.value("1 + 1") == "2"
        assert kernel.value("__import__('os').getpid()") == "2"  # a fork would be 3


def test_a_fork_in_other_namespaces_stays_out(forking, tmp_path, monkeypatch):
    """It compares itself with PID 1 before any code of a user's runs; the guest says what was different."""
    walls_of = birth.walls_of
    user, mnt, pid = 0x10000000, 0x20000, 0x20000000
    monkeypatch.setattr(birth, "walls_of", walls_of)
    engine = sys.modules["sandbox_kernel.host.engines.bubblewrap.engine"]
    monkeypatch.setattr(
        engine, "walls_of", lambda *all_: replace(walls_of(*all_), namespaces=user | mnt | pid)
    )
    with launched(tmp_path) as kernel:
        assert kernel.value("__import__('os').getpid()") != "3"
        assert "namespace of PID 1" in "".join(kernel.log)


def test_where_no_fork_gets_in_none_is_tried_any_more(forking, tmp_path, monkeypatch, caplog):
    """Some machines' walls cannot be entered (AppArmor): that is found out a few times, and said once."""
    engine = sys.modules["sandbox_kernel.host.engines.bubblewrap.engine"]
    walls_of = birth.walls_of
    monkeypatch.setattr(engine, "walls_of", lambda *all_: replace(walls_of(*all_), namespaces=0x30020000))
    for number in range(templates.FAILURES + 2):
        with launched(tmp_path) as kernel:
            assert kernel.value("1 + 1") == "2"
            assert ("could not be forked" in "".join(kernel.log)) == (number < templates.FAILURES)
    assert forking.forked == templates.FAILURES
    assert [("could not enter" in record.getMessage()) for record in caplog.records] == [True]
    assert "namespace of PID 1" in caplog.text


def test_a_fork_in_another_group_stays_out(forking, tmp_path, monkeypatch):
    """Were it to go in, what it uses would count for its host."""
    with launched(tmp_path, fork=False) as kernel:
        if not kernel.sandbox._process._limits.paths():
            return  # no control groups here: a watchdog counts what is inside, wherever it came from
    monkeypatch.setattr(AppliedLimits, "admit", lambda self, pid: None)
    with launched(tmp_path) as kernel:
        assert kernel.value("1 + 1") == "2"
        assert "differs from PID 1 in cgroup" in "".join(kernel.log)


def test_limits_hold_for_it(forking, tmp_path):
    """It is in the sandbox's groups with all that it starts; what it shares with its template is free."""
    with launched(
        tmp_path, Policy(engine="bubblewrap", workspace="none", memory=512 << 20, pids=64)
    ) as kernel:
        assert forking.forked == 1
        before = kernel.sandbox.usage().memory_bytes
        kernel.run("x = bytearray(40 << 20)")
        until(lambda: kernel.sandbox.usage().memory_bytes - before > 30 << 20)  # a watchdog looks at times
        ran = kernel.run("import os, signal\nfor _ in range(200):\n    os.fork() or signal.pause()")
        assert ran.reply["content"]["ename"] == "BlockingIOError"


def test_templates_end_when_nobody_needs_them(forking, tmp_path, monkeypatch):
    """Soon after the last sandbox, and never under a living one."""
    monkeypatch.setattr(templates, "UNUSED", 0.2)
    monkeypatch.setattr(sys.modules["sandbox_kernel.host.engines.bubblewrap.process"], "TEMPLATES", forking)
    with launched(tmp_path), launched(tmp_path):
        pid = template_of(forking).pid
    until(lambda: not Path(f"/proc/{pid}").exists())


HOST = """
import os, sys
from pathlib import Path
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES, templates
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel
templates.WAIT = 60.0
kernels = [Kernel(BubblewrapEngine(), Policy(workspace="none"), Path("/")) for _ in range(2)]
print(TEMPLATES.forked, *(slot.template.pid for slot in TEMPLATES._slots.values()), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_template_ends_with_its_host():
    """However that ends: the socket between them is all that keeps it."""
    root = Path(__file__).parents[5]
    host = subprocess.run(
        [sys.executable, "-c", HOST], cwd=root, stdout=subprocess.PIPE, text=True, check=False
    )
    forked, pid = host.stdout.split()
    assert (host.returncode, forked) == (-signal.SIGKILL, "1")
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_interrupts_reach_it(forking, tmp_path):
    """It is behind a second wall of its own, across which PID 1 must be able to signal."""
    with launched(tmp_path) as kernel:
        msg_id = kernel.client.execute("print('begun', flush=True)\nwhile True: pass")
        while kernel.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        kernel.sandbox.send_signal(signal.SIGINT)
        assert kernel.collect(msg_id).reply["content"]["ename"] == "KeyboardInterrupt"
        assert kernel.value("'alive'") == "alive"
    assert forking.forked == 1


def test_its_second_wall_is_its_own(forking, tmp_path):
    """Landlock bounds whom it may signal: not even PID 1, which is behind a wall of another make."""
    with launched(tmp_path) as kernel:
        ran = kernel.run("import os; os.kill(1, 0)")
        assert ran.status == ("error" if signals_only(abi()) else "ok")
    assert forking.forked == 1


def test_a_kernel_in_its_place_is_bound_as_well(forking, tmp_path, monkeypatch):
    """PID 1's own wall then lets signals through, which the kernel's must not: that of another domain."""
    refuse_limits(monkeypatch)
    with launched(tmp_path) as kernel:
        ran = kernel.run("import os; os.kill(1, 0)")
    expected = "error" if signals_only(abi()) else "ok"
    assert ran.status == expected


def test_many_at_once(forking, tmp_path):
    """One template, one fork at a time, told apart."""
    with contextlib.ExitStack() as stack:
        kernels = [Kernel(BubblewrapEngine(), NONE, tmp_path, wait=False) for _ in range(6)]
        for kernel in kernels:
            stack.callback(kernel.close)
        for number, kernel in enumerate(kernels):
            kernel.started.result(60)
            kernel.client = kernel.connect()
            kernel.run(f"x = {number}")
        assert [kernel.value("x") for kernel in kernels] == list("012345")
    assert forking.forked == 6
