import os

import pytest

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap
from sandbox_kernel.host.engines.bubblewrap.descriptors import descriptors
from sandbox_kernel.host.engines.bubblewrap.identity import Identity
from sandbox_kernel.host.engines.bubblewrap.operations import Bind, Origin
from sandbox_kernel.host.engines.bubblewrap.sources import Opener, place_for_root, place_for_user
from sandbox_kernel.host.engines.grants import open_grant

WHO = Identity(1_900_000_007, 1_900_000_007, dropped=True)
NEW = Bubblewrap("/usr/bin/bwrap", "0.11", frozenset({"--bind-fd", "--ro-bind-fd"}), True, True)
OLD = Bubblewrap("/usr/bin/bwrap", "0.7", frozenset(), False, True)


@pytest.fixture
def held():
    with descriptors() as held:
        yield held


@pytest.mark.parametrize("origin", [Origin.ENVIRONMENT, Origin.GRANT])
def test_a_directory_that_was_swapped_for_a_link_is_refused(tmp_path, held, origin):
    """Between looking and opening, a link to another place is put where an environment or a pin was."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "env").symlink_to("secret")
    with pytest.raises(StartError, match="was replaced while"):
        Opener([], held).open(Bind(f"{tmp_path}/env", "/env", False, origin))
    assert Opener([], held).open(Bind(f"{tmp_path}/secret", "/env", False, origin))


def test_a_directory_around_that_was_swapped_is_refused(tmp_path, held):
    """The same, further up on the way."""
    (tmp_path / "secret/env").mkdir(parents=True)
    (tmp_path / "envs").symlink_to("secret")
    with pytest.raises(StartError, match="was replaced while"):
        Opener([], held).open(Bind(f"{tmp_path}/envs/env", "/env", False, Origin.ENVIRONMENT))


def test_what_has_gone_is_said(tmp_path, held):
    """A directory that was removed meanwhile is named in the error."""
    with pytest.raises(StartError, match="/gone cannot be opened"):
        Opener([], held).open(Bind(f"{tmp_path}/gone", "/env", False, Origin.ENVIRONMENT))


def test_a_grant_is_bound_through_the_descriptor_it_was_judged_by(tmp_path, held):
    """After a swap the directory that was judged is bound, not the one that is there now."""
    folder = tmp_path / "folder"
    folder.mkdir()
    judged = os.stat(folder)
    one = open_grant(str(folder), writable=True)
    folder.rename(tmp_path / "moved")
    folder.symlink_to("/etc")
    try:
        fd = Opener([one], held).open(Bind(str(folder), "/x", True, Origin.GRANT))
        assert os.path.samestat(os.fstat(fd), judged)
    finally:
        one.close()


def test_how_sources_are_named(tmp_path, held):
    """The system's by path; everything else by descriptor, or for root by where the stage attaches it."""
    system, own = Bind("/usr", "/usr"), Bind(str(tmp_path), "/x", True, Origin.GRANT)
    user = place_for_user(NEW, Opener([], held), held)
    root, sources = place_for_root("/staged", Opener([], held), WHO, held)
    assert user.bind(system) == root.bind(system) == ["--ro-bind", "/usr", "/usr"]
    assert user.bind(own)[::2] == ["--bind-fd", "/x"]
    assert place_for_user(OLD, Opener([], held), held).bind(own) == ["--bind", str(tmp_path), "/x"]
    assert root.bind(own) == ["--bind", "/staged/0", "/x"]
    status = tmp_path.stat()
    assert [source.idmap for source in sources] == [(status.st_uid, status.st_gid, WHO.uid, WHO.gid)]


def test_only_what_was_granted_is_mapped(tmp_path, held):
    """Of an environment root's sandbox reads what everybody may read, nothing more."""
    root, sources = place_for_root("/staged", Opener([], held), WHO, held)
    root.bind(Bind(str(tmp_path), "/x", False, Origin.ENVIRONMENT))
    assert [source.idmap for source in sources] == [None]
