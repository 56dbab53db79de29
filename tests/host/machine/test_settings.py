"""The kernel's settings are read, and what could be better is said with how."""

import pytest

from sandbox_kernel.host.machine.settings import KNOWN, processor_holes, weak_settings

FINE = {
    "kernel.unprivileged_bpf_disabled": 2,
    "kernel.kptr_restrict": 1,
    "kernel.dmesg_restrict": 1,
    "kernel.perf_event_paranoid": 2,
    "kernel.randomize_va_space": 2,
    "vm.unprivileged_userfaultfd": 0,
    "vm.mmap_min_addr": 65536,
    "kernel.yama.ptrace_scope": 1,
    "kernel.apparmor_restrict_unprivileged_userns": 1,
    "fs.protected_symlinks": 1,
    "fs.protected_hardlinks": 1,
}
POOR = {
    "kernel.perf_event_paranoid": 1,
    "kernel.randomize_va_space": 1,
    "vm.unprivileged_userfaultfd": 1,
    "vm.mmap_min_addr": 0,
}


def tree(root, values):
    for name, value in values.items():
        path = root.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return root


def test_a_hardened_machine_is_left_in_peace(tmp_path):
    """Nothing is said where nothing could be better."""
    assert weak_settings(tree(tmp_path, FINE)) == []


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_each_setting_is_told_with_what_to_set(tmp_path, known):
    """One at a time, with its value, what it opens and the command."""
    value = POOR.get(known.name, 0)
    (found,) = weak_settings(tree(tmp_path, {**FINE, known.name: value}))
    assert (found.name, found.value) == (known.name, str(value))
    assert found.matters
    assert f"sysctl {known.name}=" in found.advice


def test_what_is_not_there_is_passed_over(tmp_path):
    """But Yama, whose absence leaves a door open; and elsewhere than on Linux nothing is known."""
    (found,) = weak_settings(tree(tmp_path, {"kernel.kptr_restrict": 1}))
    assert found.name == "kernel.yama.ptrace_scope"
    assert weak_settings(tmp_path / "nowhere") == []


def test_what_is_no_number_is_passed_over(tmp_path):
    """A kernel may say anything."""
    assert weak_settings(tree(tmp_path, {**FINE, "kernel.kptr_restrict": "often"})) == []


def test_the_processors_holes(tmp_path):
    """Those that the kernel calls vulnerable, by name."""
    for name, said in {"a": "Mitigation: x", "b": "Vulnerable: no microcode", "c": "Not affected"}.items():
        (tmp_path / name).write_text(said)
    assert processor_holes(tmp_path) == ["b"]
    assert processor_holes(tmp_path / "nowhere") == []
