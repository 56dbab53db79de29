"""The log's file: many writers, one size, nobody else's business."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox_kernel.host.audit import AuditLog, default_path
from sandbox_kernel.host.audit.log import FILES

MiB = 1 << 20

WRITER = """
import sys
from pathlib import Path
from sandbox_kernel.host.audit import AuditLog
log, who = AuditLog(Path(sys.argv[1]), int(sys.argv[2])), sys.argv[3]
print("up", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[4])):
    log.append(f"{who} {number} {'x' * 50}\\n".encode())
"""


FULL = """
import resource, sys
from pathlib import Path
from sandbox_kernel.host.audit import AuditLog
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
AuditLog(Path(sys.argv[1]), 1 << 26).append(b'y' * 5000)
"""


def lines(log):
    """Return all lines; an empty one may be left where two processes met."""
    return [line for path in log.files() for line in path.read_bytes().split(b"\n") if line]


def write_at_once(path, size, count):
    """Have four processes write so many lines each, all at the same time."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(path), str(size)]
    writers = [
        subprocess.Popen([*command, str(who), str(count)], stdin=pipe, stdout=pipe) for who in range(4)
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"up\n"
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            writer.communicate()
        assert writer.returncode == 0


def test_many_processes_at_once(tmp_path):
    """Every line of every process is there once, whole, each process's in their order."""
    log = AuditLog(tmp_path / "log", 64 * MiB)
    write_at_once(log.path, 64 * MiB, 500)
    found = [line.split() for line in lines(log)]
    assert all(len(words) == 3 and words[2] == b"x" * 50 for words in found)
    for who in range(4):
        assert [int(words[1]) for words in found if int(words[0]) == who] == list(range(500))


def test_many_processes_while_it_is_turned_over(tmp_path):
    """While files are turned over no line is cut or doubled, and the newest is the last of somebody's."""
    size = 80_000
    log = AuditLog(tmp_path / "log", size)
    write_at_once(log.path, size, 500)  # 120 KB: more than there is room for
    found = lines(log)
    assert all(len(line.split()) == 3 and line.endswith(b"x" * 50) for line in found)
    assert len(found) == len(set(found)) > 500
    assert found[-1].split()[1] == b"499"
    assert sum(path.stat().st_size for path in log.files()) <= 2 * size
    assert len(list(tmp_path.iterdir())) == len(log.files()) == FILES


def test_the_size_is_that_of_all_files(tmp_path):
    """However much is written, it takes no more than its size, and the newest lines are kept in order."""
    log = AuditLog(tmp_path / "log", 4000)
    for number in range(1000):
        log.append(b"%06d %s\n" % (number, b"x" * 80))
    assert sum(path.stat().st_size for path in log.files()) <= 4000
    numbers = [int(line.split()[0]) for line in lines(log)]
    assert numbers == list(range(numbers[0], 1000))


def test_who_hangs_with_the_lock_holds_up_nobody(tmp_path):
    """A process that stops while it turns the file over costs others no time, and the file has a bound."""
    import fcntl

    log = AuditLog(tmp_path / "log", 4000)
    log.append(b"x" * 990 + b"\n")
    with log.path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        log.append(b"y" * 500 + b"\n")
        assert log.path.stat().st_size > 1000
        with pytest.raises(OSError):
            for _ in range(10):
                log.append(b"z" * 500 + b"\n")
        assert log.path.stat().st_size < 3000
    log.append(b"z\n")
    assert log.path.read_bytes() == b"z\n"


def test_only_its_owner_reads_it(tmp_path):
    """Directory and file are closed to others, whatever the umask, also after the file was turned over."""
    log = AuditLog(tmp_path / "state" / "log", 4000)
    mask = os.umask(0)
    try:
        for _ in range(30):
            log.append(b"x" * 100 + b"\n")
    finally:
        os.umask(mask)
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in log.files()} == {0o600}
    assert len(log.files()) > 1


@pytest.mark.parametrize("trap", ["link", "pipe", "directory", "shared file", "shared directory"])
def test_traps_are_not_written_to(tmp_path, trap):
    """A link, a pipe or what others may write to is refused at once, and stays as it was."""
    place = tmp_path / "state"
    place.mkdir(mode=0o700)
    path, elsewhere = place / "log", tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    if trap == "link":
        path.symlink_to(elsewhere)
    elif trap == "pipe":
        os.mkfifo(path)
    elif trap == "directory":
        path.mkdir()
    elif trap == "shared file":
        path.touch()
        path.chmod(0o666)
    else:
        place.chmod(0o777)
    with pytest.raises(OSError):
        AuditLog(path, MiB).append(b"line\n")
    assert elsewhere.read_text() == "kept"


def test_a_full_disk_cuts_one_line_and_no_other(tmp_path):
    """What could only be written in part is an error, and the next line begins a line."""
    log = AuditLog(tmp_path / "log", 64 * MiB)
    log.append(b'{"n":1}\n')
    done = subprocess.run([sys.executable, "-c", FULL, log.path], capture_output=True, check=False)
    assert b"OSError" in done.stderr
    log.append(b'{"n":2}\n')
    found = log.path.read_bytes().split(b"\n")
    assert [json.loads(found[0]), json.loads(found[2])] == [{"n": 1}, {"n": 2}]


def test_threads_of_one_process(tmp_path):
    """It may be used from any thread."""
    log = AuditLog(tmp_path / "log", MiB)
    threads = [
        threading.Thread(target=lambda: [log.append(b"x" * 99 + b"\n") for _ in range(100)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(line) for line in lines(log)] == [99] * 400


@pytest.mark.parametrize(
    ("state", "place"),
    [("/some/where", "/some/where"), ("", "/home/me/.local/state"), ("rel", "/home/me/.local/state")],
)
def test_the_usual_place(monkeypatch, state, place):
    """As the XDG specification has it."""
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", "/home/me")
    assert default_path() == Path(place, "sandbox-kernel", "audit.jsonl")


def test_a_user_without_a_home(monkeypatch):
    """Whoever has none does not leave a log in whatever directory is the current one."""
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", "nowhere")
    assert default_path() == Path("/.local/state/sandbox-kernel/audit.jsonl")
