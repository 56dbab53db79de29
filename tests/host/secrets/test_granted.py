"""Values of secrets: from where they are read, what is refused, and that nothing shows them."""

import os
from pathlib import Path

import pytest

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.host.secrets import NO_SECRETS, Secrets, read_secrets
from sandbox_kernel.host.secrets.granted import MAX_SECRET
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Start

VALUE = "s3cret-canary-value"
START = Start(1, ("python",), {"A": "b"}, "/", "/run/k", "key", 1024, None)


def read(*secrets, environ=None, directory=Path("/nowhere"), **policy):
    return read_secrets(Policy(secrets=secrets, **policy), environ or {}, directory)


def refusal(*secrets, **options):
    with pytest.raises(PolicyError) as caught:
        read(*secrets, **options)
    return str(caught.value)


def test_from_a_variable():
    """A secret is the variable of its name, or another one; as a file, or as a variable."""
    environ = {"TOKEN": VALUE, "OTHER": "another value"}
    assert read("TOKEN", environ=environ) == Secrets(files={"TOKEN": VALUE})
    assert read("T=env:OTHER", environ=environ) == Secrets(files={"T": "another value"})
    assert read("TOKEN:env", environ=environ) == Secrets(variables={"TOKEN": VALUE})


def test_from_a_file(tmp_path):
    """A file crosses byte for byte; as a variable it loses the line's end, as in a shell."""
    (tmp_path / "t").write_bytes(b"caf\xe9\n")
    source = f"file:{tmp_path}/t"
    assert os.fsencode(read(f"T={source}").files["T"]) == b"caf\xe9\n"
    assert os.fsencode(read(f"T:env={source}").variables["T"]) == b"caf\xe9"


def test_what_is_not_there(tmp_path):
    """A missing variable or file, a pipe and a directory are refused by name, and nothing is waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert "TOKEN" in refusal("TOKEN")
    for name in ("absent", "pipe", "."):
        assert "cannot be read" in refusal(f"T=file:{tmp_path}/{name}")


@pytest.mark.parametrize("content", [b"", b" \n", b"a\0b", b"x" * (MAX_SECRET + 1)])
def test_what_cannot_be_passed_in(tmp_path, content):
    """Nothing, NULs and more than a secret's worth are refused, without a word of the content."""
    (tmp_path / "t").write_bytes(content)
    said = refusal(f"TOKEN=file:{tmp_path}/t")
    assert "TOKEN" in said
    assert "xxxx" not in said


def test_all_together_are_bounded():
    """However many there are, they fit into the first message."""
    assert "fewer" in refusal("A", "B", "C", environ=dict.fromkeys("ABC", "\u00e9" * 30_000))


@pytest.mark.parametrize("way", ["workspace", "mount", "link"])
def test_no_file_that_code_may_replace(tmp_path, way):
    """In a folder shared for writing a cell could leave a link to any other file for the next kernel."""
    (tmp_path / "token").write_text(VALUE)
    (tmp_path / "way").symlink_to(tmp_path)
    place = tmp_path / "way" / "token" if way == "link" else tmp_path / "token"
    shared = {"mounts": (f"{tmp_path}:rw",)} if way == "mount" else {"workspace": "rw"}
    assert "folder that the kernel may write to" in refusal(f"T=file:{place}", directory=tmp_path, **shared)
    assert read(f"T=file:{place}", directory=tmp_path).files


def test_nothing_shows_a_value():
    """What a log or a traceback may print of it has names only."""
    secrets = Secrets({"A": VALUE}, {"B": VALUE})
    assert "A, B" in repr(secrets)
    assert VALUE not in f"{secrets!r} {secrets}"


def test_into_the_first_message():
    """Files and variables have their places, and code is told where the files are."""
    message = Secrets({"A": "file"}, {"B": "variable"}).into(START)
    assert message.secrets == {"A": "file"}
    assert message.env == {"A": "b", "B": "variable", "SANDBOX_SECRETS": "/run/k/secrets"}
    assert NO_SECRETS.into(START) is START
