import subprocess
import sys

from sandbox_kernel import __version__
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.wire import Decoder, Hello, decode


def test_the_label_names_version_and_sources(tmp_path, monkeypatch):
    """One changed byte in one file makes another guest."""
    before = guest.label()
    version, _, digest = before.partition("+")
    assert (version, len(digest)) == (__version__, 16)
    copies = {}
    for number, (name, path) in enumerate(guest.sources().items()):
        copies[name] = tmp_path / str(number)
        copies[name].write_bytes(path.read_bytes())
    monkeypatch.setattr(guest, "sources", lambda: copies)
    assert guest.label.__wrapped__() == before
    copies["sandbox_kernel/guest/relay.py"].write_bytes(b"# other\n")
    assert guest.label.__wrapped__() != before


def test_an_image_with_this_guest_runs_its_own():
    """Nothing is sent."""
    argv, first = guest.command(guest.label())
    assert argv[-1] == "/opt/sandbox-kernel/sandbox_kernel/guest/__main__.py"
    assert first == b""


def test_any_other_image_is_sent_the_guest():
    """The archive alone is enough: it speaks first, and as this version, and ends with its input."""
    argv, first = guest.command("0.0.1+0123456789abcdef")
    ran = subprocess.run(
        [sys.executable, *argv[1:]], check=False, input=first, capture_output=True, timeout=30
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    (hello,) = [decode(each.parts) for each in Decoder(max_message=1 << 20).receive(ran.stdout)]
    assert isinstance(hello, Hello)
    assert hello.guest_version == __version__


def test_an_archive_that_is_cut_off_starts_nothing():
    """A host that goes away in the middle leaves no guest."""
    argv, first = guest.command("")
    ran = subprocess.run(
        [sys.executable, *argv[1:]], check=False, input=first[:-1], capture_output=True, timeout=30
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
