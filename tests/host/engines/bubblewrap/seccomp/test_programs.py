"""What the filter must not break: libraries that people use in notebooks, each doing real work inside."""

import textwrap

import pytest

from tests.host.engines.bubblewrap.inside import python

PROGRAMS = {
    "threads": """
        from concurrent.futures import ThreadPoolExecutor
        assert sum(ThreadPoolExecutor(8).map(abs, range(-99, 0))) == 4950
    """,
    "numpy with OpenBLAS": """
        import numpy as np
        a = np.random.default_rng(0).random((300, 300))
        assert np.allclose(a @ np.linalg.inv(a), np.eye(300))
        shared = np.memmap("/tmp/map", dtype="f8", mode="w+", shape=(1000,))
        shared[:] = 1
        assert shared.sum() == 1000
    """,
    "pandas": """
        import pandas as pd
        frame = pd.DataFrame({"a": range(100), "b": list("xy") * 50})
        frame.to_csv("/tmp/frame.csv")
        assert pd.read_csv("/tmp/frame.csv").groupby("b").a.sum().tolist() == [2450, 2500]
    """,
    "matplotlib": """
        import matplotlib
        matplotlib.use("agg")
        import matplotlib.pyplot as plt
        plt.plot([1, 2, 3])
        plt.savefig("/tmp/figure.png")
        assert open("/tmp/figure.png", "rb").read(4) == b"\\x89PNG"
    """,
    "subprocess": """
        import os, subprocess
        assert subprocess.run(["sh", "-c", "echo a | tr a b"], capture_output=True).stdout == b"b\\n"
        assert subprocess.run(["true"], start_new_session=True, preexec_fn=os.getpid).returncode == 0
        assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0
        assert os.system("exit 3") >> 8 == 3
    """,
    "pty and pexpect": """
        import os, pexpect, pty
        child = pexpect.spawn("sh", ["-c", "stty size; read x; echo got $x"], dimensions=(10, 20))
        child.expect("10 20")
        child.sendline("this")
        child.expect("got this")
        child.expect(pexpect.EOF)
        assert pty.spawn(["true"]) == 0
    """,
    "asyncio": """
        import asyncio
        async def main():
            server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
            reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
            assert await reader.read() == b""
            process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
            assert (await process.communicate(b"x"))[0] == b"x"
            assert await asyncio.to_thread(abs, -1) == 1
        asyncio.run(main())
    """,
    "zmq over tcp, ipc and inproc": """
        import zmq
        context = zmq.Context()
        for address in ("tcp://127.0.0.1:*", "ipc:///tmp/zmq", "inproc://x"):
            one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
            one.bind(address)
            other.connect(one.last_endpoint.decode() if "*" in address else address)
            one.send(b"x" * 100_000)
            assert len(other.recv()) == 100_000
        context.destroy(0)
    """,
    "debugpy": """
        import debugpy, socket
        host, port = debugpy.listen(("127.0.0.1", 0))
        assert b"Content-Length" in socket.create_connection((host, port)).recv(100)
    """,
    "sqlite": """
        import sqlite3
        with sqlite3.connect("/tmp/base") as base:
            base.execute("pragma journal_mode=wal")
            base.execute("create table t (x)")
            base.executemany("insert into t values (?)", [(i,) for i in range(100)])
        assert base.execute("select sum(x) from t").fetchone() == (4950,)
    """,
    "names and addresses": """
        import psutil, socket
        assert socket.getaddrinfo("localhost", 80)
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
        assert list(psutil.net_if_addrs()) == ["lo"]
        assert socket.create_server(("::1", 0), family=socket.AF_INET6)
        try:
            socket.getaddrinfo("example.com", 80)
        except socket.gaierror:
            pass
    """,
    "psutil": """
        import psutil
        me = psutil.Process()
        assert me.memory_full_info().uss and me.cpu_affinity() and me.num_threads() and me.open_files() == []
        me.nice(max(5, me.nice()))
        psutil.virtual_memory(), psutil.cpu_percent(), psutil.net_io_counters(), psutil.disk_usage("/")
    """,
    "signals and timers": """
        import signal, time
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        signal.raise_signal(signal.SIGUSR1)
        assert signal.sigwait([signal.SIGUSR1]) == signal.SIGUSR1
        signal.pthread_kill(__import__("threading").get_ident(), 0)
    """,
    "faulthandler": """
        import faulthandler, subprocess, sys
        crash = [sys.executable, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"]
        died = subprocess.run(crash, capture_output=True, text=True)
        assert died.returncode == -11 and "Segmentation fault" in died.stderr, died
        faulthandler.dump_traceback_later(99)
    """,
    "files": """
        import os, pathlib, shutil, tarfile, tempfile, zipfile
        os.chdir("/tmp")
        pathlib.Path("tree/below").mkdir(parents=True)
        pathlib.Path("tree/file").write_text("x")
        pathlib.Path("tree/file").chmod(0o755)
        os.symlink("file", "tree/link")
        os.link("tree/file", "tree/hard")
        os.mkfifo("tree/fifo")
        shutil.copytree("tree", "copy", ignore=lambda *_: ["fifo"])
        os.utime("copy/file", (1e9, 1e9))
        tarfile.open("tree.tar", "w").add("copy")
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tarfile.open("tree.tar").extractall("out", **safely)
        shutil.make_archive("zipped", "zip", "copy")
        zipfile.ZipFile("zipped.zip").extractall("unzipped")
        with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as named:
            os.posix_fallocate(file.fileno(), 0, 100)
            os.copy_file_range(file.fileno(), named.fileno(), 100)
            os.sendfile(named.fileno(), file.fileno(), 0, 10)
            os.fsync(file.fileno())
        os.rename("copy", "moved")
        assert sorted(os.listdir("moved")) == ["below", "file", "hard", "link"]
        shutil.rmtree("moved")
        os.umask(0o27)
        os.truncate("tree/file", 0)
        os.statvfs("/tmp"), os.access("tree", os.R_OK, effective_ids=True)
    """,
    "memory": """
        import ctypes, mmap, os
        memory = mmap.mmap(-1, 1 << 20)
        memory.madvise(mmap.MADV_DONTNEED)
        memory.resize(2 << 20)
        descriptor = os.memfd_create("x")
        os.ftruncate(descriptor, 4096)
        mmap.mmap(descriptor, 4096)[:2] = b"ab"
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mlock(ctypes.create_string_buffer(4096), 4096) == 0, ctypes.get_errno()
        assert libc.shmget(0, 4096, 0o1600) == -1
        assert libc.shm_open(b"/x", os.O_CREAT | os.O_RDWR, 0o600) >= 0
    """,
    "events": """
        import ctypes, os, select, socket
        libc = ctypes.CDLL(None)
        watch = libc.inotify_init1(0)
        assert libc.inotify_add_watch(watch, b"/tmp", 0xFFF) == 1
        open("/tmp/new", "w").close()
        assert os.read(watch, 4096)
        poller = select.epoll()
        one, other = socket.socketpair()
        poller.register(other, select.EPOLLIN)
        socket.send_fds(one, [b"x"], [watch])
        assert poller.poll(5) and socket.recv_fds(other, 1, 1)[1]
        event = os.eventfd(0)
        os.eventfd_write(event, 1)
        assert os.eventfd_read(event) == 1
    """,
    "commands on descriptors": """
        import fcntl, os, tempfile
        with tempfile.TemporaryFile() as file:
            fcntl.lockf(file, fcntl.LOCK_SH)
            fcntl.fcntl(file, fcntl.F_SETFD, fcntl.FD_CLOEXEC), fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 100)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, bytes(32)), fcntl.fcntl(file, fcntl.F_GETOWN)
        assert fcntl.fcntl(os.pipe()[0], fcntl.F_GETPIPE_SZ)
        sealed = os.memfd_create("x", os.MFD_ALLOW_SEALING)
        fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        assert fcntl.fcntl(sealed, fcntl.F_GET_SEALS) == fcntl.F_SEAL_GROW
    """,
    "limits and scheduling": """
        import os, resource
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.nice(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft // 2, hard))
        resource.prlimit(os.getpid(), resource.RLIMIT_CORE)
        os.setuid(os.getuid())
        os.getpgid(0), os.getloadavg(), os.times(), os.uname(), os.getrandom(8)
    """,
    "pidfds": """
        import os, signal, subprocess
        child = subprocess.Popen(["sleep", "100"])
        descriptor = os.pidfd_open(child.pid)
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        assert os.waitid(os.P_PIDFD, descriptor, os.WEXITED).si_status == signal.SIGTERM
    """,
}  # fmt: skip

MULTIPROCESSING = """
    import multiprocessing, sys
    from multiprocessing import managers, shared_memory
    def work(number, lock, counter):
        with lock:
            counter.value += number
        return number
    def main(method):
        context = multiprocessing.get_context(method)
        lock, counter, queue = context.Lock(), context.Value("i", 0), context.Queue()
        children = [context.Process(target=work, args=(number, lock, counter)) for number in range(4)]
        [child.start() for child in children], [child.join() for child in children]
        assert counter.value == 6, counter.value
        queue.put("x")
        assert queue.get() == "x"
        with context.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
        with context.Manager() as manager:
            assert manager.list([1])[0] == 1
        memory = shared_memory.SharedMemory(create=True, size=1 << 20)
        memory.buf[0] = 1
        memory.close(), memory.unlink()
    if __name__ == "__main__":
        main(sys.argv[1])
"""


@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_libraries_work(tmp_path, code):
    """The library's calls are on the list."""
    outcome = python(textwrap.dedent(code) + "\nprint('worked')", tmp_path)
    assert (outcome.status, outcome.out.splitlines()[-1:]) == (0, ["worked"]), outcome


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(tmp_path, method):
    """All ways of starting processes work, with locks, pools, managers and shared memory."""
    script = f"""
        import runpy, sys
        open("/tmp/script.py", "w").write({textwrap.dedent(MULTIPROCESSING)!r})
        import subprocess
        sys.exit(subprocess.run([sys.executable, "-W", "error", "/tmp/script.py", {method!r}]).returncode)
    """
    outcome = python(script, tmp_path)
    assert (outcome.status, outcome.err) == (0, ""), outcome
