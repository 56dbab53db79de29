"""Policies: what is understood, what is refused and in which words, and who wins."""

import json
import math

import pytest
from msgspec.structs import replace

from sandbox_kernel.errors import ExitCode, PolicyError
from sandbox_kernel.policy import (
    FIELD_NAMES,
    MAXIMA_NAMES,
    PROFILES,
    Layer,
    MiB,
    Policy,
    format_seconds,
    format_size,
    policy_from_environment,
)

KERNELSPEC = "kernelspec sandboxed-python"
NAMES = ("image", "runtime")
OPTIONAL = ("cell_timeout", "session_timeout", "idle_timeout", "output_rate")


def refusal(settings, source=KERNELSPEC, maxima=None):
    with pytest.raises(PolicyError) as caught:
        Policy.from_settings(settings, source=source, maxima=maxima)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512m", 512 * MiB),
        ("512M", 512 * MiB),
        ("512 MiB", 512 * MiB),
        ("512mb", 512 * MiB),
        ("1g", 1024 * MiB),
        ("1GiB", 1024 * MiB),
        ("1.5g", 1536 * MiB),
        ("262144k", 256 * MiB),
        ("134217728", 128 * MiB),
        ("134217728b", 128 * MiB),
        (" 128m ", 128 * MiB),
        (134217728, 128 * MiB),
    ],
)
def test_size_spellings(written, size):
    """A size is bytes, or a number with a unit, which counts in 1024s."""
    assert Policy.from_settings({"memory": written}).memory == size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("500ms", 0.5),
        (45, 45),
        ("2.5", 2.5),
        ("1d", 86400),
    ],
)
def test_time_spellings(written, seconds):
    """A time is seconds, or numbers with units."""
    assert Policy.from_settings({"cell_timeout": written}).cell_timeout == seconds


@pytest.mark.parametrize("written", ["none", "None", None])
def test_none_switches_a_deadline_off(written):
    """The word "none" means no deadline, also against a profile that has one."""
    assert Policy.from_settings({"profile": "strict", "cell_timeout": written}).cell_timeout is None


@pytest.mark.parametrize("field", sorted(set(FIELD_NAMES) - {*OPTIONAL, "profile", *NAMES}))
@pytest.mark.parametrize("written", [None, True, False, -1, -1.0, math.nan, math.inf, -math.inf, "-1", "-"])
def test_nothing_means_unlimited(field, written):
    """No field but deadlines and the rate can be switched off, by whatever trick."""
    assert field in refusal({field: written})


@pytest.mark.parametrize("field", NAMES)
def test_container_names(field):
    """A name passes as it is, none is none, and what no daemon takes for a name is refused."""
    assert getattr(Policy.from_settings({field: " runsc "}), field) == "runsc"
    assert getattr(Policy.from_settings({field: "none"}), field) is None
    for written in (True, 1, "", "-", "-v", "a b", "a;b", "x" * 600, ["a"]):
        assert field in refusal({field: written})


@pytest.mark.parametrize("field", NAMES)
def test_a_wall_without_containers_has_no_names_of_theirs(field):
    """A wish that bubblewrap cannot fulfil is refused, not ignored."""
    assert "bubblewrap" in refusal({field: "runsc", "engine": "bubblewrap"})
    assert getattr(Policy.from_settings({field: "runsc", "engine": "docker"}), field) == "runsc"


UNUSABLE = [
    0,
    0.0,
    -0.0,
    "0",
    True,
    "",
    " ",
    "inf",
    "Infinity",
    "nan",
    "1e309",
    "1e3",
    "0x10",
    "1_000",
    "١٢٣",
    "+5",
    "1,5",
    "5 apples",
    "9" * 10_000,
    10**5000,
    1e308,
    float("1e309"),
    [],
    {},
    b"512m",
    object(),
]


@pytest.mark.parametrize(
    "field",
    [
        *("memory", "cpus", "pids", "tmp", "files", "output", "outputs", "message", "code"),
        *("start_timeout", *OPTIONAL),
    ],
)
@pytest.mark.parametrize("written", UNUSABLE, ids=lambda value: str(type(value).__name__))
def test_unusable_numbers_are_refused(field, written):
    """A value that is not plainly a positive, possible amount is refused in one readable sentence."""
    message = refusal({field: written})
    assert field in message
    assert len(message) < 300


def test_size_below_what_a_kernel_needs():
    """A limit with which no kernel can start is refused with the least that works."""
    assert "96 MiB" in refusal({"memory": "64m"})
    assert "at least 32" in refusal({"pids": 8})


@pytest.mark.parametrize("field", ["pids", "files"])
def test_counts_are_whole(field):
    """Half a process is refused."""
    assert "whole" in refusal({field: "128.5"})
    assert "whole" in refusal({field: 128.5})


@pytest.mark.parametrize(
    ("source", "settings", "words"),
    [
        (KERNELSPEC, {"memroy": "1g"}, ['"memroy"', "kernelspec sandboxed-python", 'did you mean "memory"?']),
        (
            "c.SandboxProvisioner.{field}",
            {"memroy": 1},
            ["c.SandboxProvisioner.memroy", "c.SandboxProvisioner.memory"],
        ),
        ("--{option}", {"cell_timout": 1}, ["--cell-timout", "--cell-timeout"]),
        (KERNELSPEC, {"qqqqqqq": 1}, ["qqqqqqq", "memory", "cell_timeout"]),
        (KERNELSPEC, {"MEMORY": "1g"}, ['did you mean "memory"?']),
        (KERNELSPEC, {7: "1g"}, ['"7"']),
        (KERNELSPEC, {"output_limit": "1m"}, ['did you mean "output"?']),
        ("--{option}", {"message-limit": "1m"}, ["did you mean --message?"]),
    ],
)
def test_unknown_setting(source, settings, words):
    """An unknown name is refused with where it was written and the nearest name that is known."""
    message = refusal(settings, source)
    for word in words:
        assert word in message


def test_source_is_not_a_format_string():
    """Braces in a stranger's kernelspec name are text, not instructions."""
    assert "{0.__class__}" in refusal({"memroy": 1}, source="kernelspec {0.__class__}")


def test_long_names_are_cut():
    """A stranger's megabyte of name does not become a megabyte of message."""
    assert len(refusal({"x" * 1_000_000: 1})) < 500


def test_policy_errors_are_usage_errors():
    """A refused policy exits as a usage error."""
    assert PolicyError.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": -1},
        {"memory": "5 apples"},
        {"memory": True},
        {"cpus": math.nan},
        {"cpus": None},
        {"pids": 1},
        {"env": ("A=b",)},
        {"workspace": "rwx"},
        {"html": "trusted"},
        {"profile": ""},
        {"network": "host"},
        {"cell_timeout": -1},
        {"session_timeout": math.inf},
    ],
)
def test_construction_checks_too(wrong):
    """A policy that exists is usable: the constructor refuses what the parser refuses."""
    with pytest.raises(PolicyError, match=next(iter(wrong))):
        Policy(**wrong)


def test_construction_reads_as_settings_are_read():
    """Whoever writes a program writes "512m" there as well."""
    policy = Policy(memory="512m", cell_timeout="2m", mounts=["/data"], session_timeout="none")
    assert (policy.memory, policy.cell_timeout, policy.mounts) == (512 * MiB, 120.0, ("/data:ro",))


def test_a_profiles_name_is_not_the_profile():
    """A policy is not called strict where nothing of it is; one that was changed keeps its name."""
    with pytest.raises(PolicyError, match="from_settings"):
        Policy(profile="strict")
    changed = Policy.from_settings({"profile": "strict", "memory": "1g"})
    assert (changed.profile, changed.replace(cpus=1.0).pids) == ("strict", 100)


def test_a_policy_is_frozen():
    """A policy cannot be changed after it was checked."""
    with pytest.raises(AttributeError):
        Policy().memory = 1


def test_replace_checks_again():
    """A changed copy passes the same checks."""
    assert Policy().replace(memory="256m").memory == 256 * MiB
    assert replace(Policy(), memory=256 * MiB).memory == 256 * MiB
    for changes in ({"memory": -1}, {"memroy": "256m"}):
        with pytest.raises(PolicyError, match="memory"):
            Policy().replace(**changes)


def test_strict():
    """The strict profile is what the documentation promises."""
    policy = Policy.from_settings({"profile": "strict"})
    assert (policy.memory, policy.cpus, policy.pids) == (256 * MiB, 0.5, 100)
    assert (policy.output, policy.code, policy.cell_timeout) == (MiB, 100 * 1024, 2.0)
    assert (policy.workspace, policy.mounts, policy.env, policy.profile) == ("none", (), (), "strict")
    assert (policy.cell_timeout, policy.session_timeout, policy.html) == (2.0, 600.0, "strip")


def test_what_has_effects():
    """Code changes something outside where it may write to a folder of the host's, and nowhere else."""
    for settings in ({}, {"workspace": "none"}, {"mounts": ["/data"]}):
        assert not Policy.from_settings(settings).has_effects()
    for settings in ({"workspace": "rw"}, {"mounts": ["/data", "/out:rw"]}):
        assert Policy.from_settings(settings).has_effects()


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_usable(name):
    """Every profile makes a policy, and every one of its values is no larger than the default."""
    assert Policy.from_settings({"profile": name}).memory <= Policy().memory


def test_values_win_over_their_profile():
    """In one place, the profile is applied first, wherever it stands."""
    policy = Policy.from_settings({"memory": "512m", "profile": "strict"})
    assert (policy.memory, policy.cpus) == (512 * MiB, 0.5)


def test_unknown_profile():
    """A misspelt profile is refused with the nearest."""
    assert "did you mean strict?" in refusal({"profile": "strct"})


def test_stronger_layers_win_field_by_field():
    """A stronger layer changes what it names and leaves the rest."""
    policy = Policy.from_layers([Layer({"memory": "2g", "pids": 64}), Layer({"memory": "512m"})])
    assert (policy.memory, policy.pids) == (512 * MiB, 64)


def test_a_profile_drops_weaker_layers():
    """ "strict" is strict, whatever a weaker layer says about memory."""
    policy = Policy.from_layers([Layer({"memory": "2g"}), Layer({"profile": "strict"})])
    assert policy.memory == 256 * MiB


def test_a_weaker_layer_is_checked_too():
    """A misspelt name is refused even where a stronger layer would have won."""
    with pytest.raises(PolicyError, match="weak"):
        Policy.from_layers([Layer({"memroy": "2g"}, "weak"), Layer({"profile": "strict"}, "strong")])


def test_explicit_value_above_a_maximum():
    """What somebody asked for and may not have is refused, with both amounts and both places."""
    message = refusal({"memory": "4g"}, maxima={"max_memory": "1g"})
    for word in ("4 GiB", "1 GiB", "sandboxed-python", "max_memory"):
        assert word in message


def test_profile_value_above_a_maximum():
    """What nobody asked for is lowered to the maximum."""
    maxima = {"max_memory": "128m", "max_workspace": "none", "max_cell_timeout": "1m", "max_html": "strip"}
    policy = Policy.from_settings({}, maxima=maxima)
    assert (policy.memory, policy.workspace, policy.cell_timeout) == (128 * MiB, "none", 60)
    assert policy.html == "strip"


@pytest.mark.parametrize(
    ("settings", "maxima"),
    [
        ({"cpus": 2}, {"max_cpus": 1}),
        ({"pids": 200}, {"max_pids": 100}),
        ({"tmp": "2g"}, {"max_tmp": "1g"}),
        ({"files": 2048}, {"max_files": 1024}),
        ({"output": "2g"}, {"max_output": "1g"}),
        ({"code": "2m"}, {"max_code": "1m"}),
        ({"cell_timeout": "2m"}, {"max_cell_timeout": "1m"}),
        ({"cell_timeout": "none"}, {"max_cell_timeout": "1m"}),
        ({"session_timeout": None}, {"max_session_timeout": "1h"}),
        ({"workspace": "rw"}, {"max_workspace": "ro"}),
        ({"workspace": "ro"}, {"max_workspace": "none"}),
        ({"html": "trust"}, {"max_html": "isolate"}),
        ({"html": "isolate"}, {"max_html": "strip"}),
        ({"env": ["HOME"]}, {"allowed_env": []}),
        ({"preload": ["pandas"]}, {"allowed_preload": ["numpy"]}),
        ({"env": ["HOME"]}, {"allowed_env": ["LANG"]}),
        ({"mounts": ["/srv/data"]}, {"allowed_mounts": []}),
        ({"mounts": ["/srv/database"]}, {"allowed_mounts": ["/srv/data"]}),
        ({"mounts": ["/srv/data:rw"]}, {"allowed_mounts": ["/srv/data"]}),
    ],
)
def test_every_maximum_binds(settings, maxima):
    """Each maximum refuses more than it allows, and says which one it was."""
    assert Policy.from_settings(settings)
    assert next(iter(maxima)) in refusal(settings, maxima=maxima)


@pytest.mark.parametrize(
    ("settings", "maxima"),
    [
        ({"memory": "1g"}, {"max_memory": "1g"}),
        ({"workspace": "rw"}, {"max_workspace": "rw"}),
        ({"html": "strip"}, {"max_html": "isolate"}),
        ({"html": "trust"}, {"max_html": "trust"}),
        ({"env": ["LANG"]}, {"allowed_env": ["LANG", "TZ"]}),
        ({"mounts": ["/srv/data/deep:rw"]}, {"allowed_mounts": ["/srv/data:rw"]}),
        ({"cell_timeout": "none"}, {"max_cell_timeout": None}),
        ({"cell_timeout": "none"}, {"max_cell_timeout": "none"}),
    ],
)
def test_what_is_allowed_passes(settings, maxima):
    """A request up to its maximum is granted."""
    assert Policy.from_settings(settings, maxima=maxima)


def test_a_link_does_not_leave_an_allowed_tree(tmp_path):
    """A mount inside an allowed tree that leads out of it is refused."""
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "way-out").symlink_to("/etc")
    maxima = {"allowed_mounts": [str(tmp_path / "allowed")]}
    assert "allowed_mounts" in refusal({"mounts": [str(tmp_path / "allowed" / "way-out")]}, maxima=maxima)


def test_a_policy_remembers_where_mounts_may_lie(tmp_path):
    """What an engine opened in the end can be asked about; the bound is no setting, and not shown as one."""
    policy = Policy.from_settings({}, maxima={"allowed_mounts": [f"{tmp_path}/ro", f"{tmp_path}/rw:rw"]})
    assert policy.may_mount(f"{tmp_path}/ro/x", writable=False)
    assert policy.may_mount(f"{tmp_path}/rw", writable=True)
    assert not policy.may_mount(f"{tmp_path}/ro/x", writable=True)
    assert not policy.may_mount("/etc", writable=False)
    assert Policy.from_settings({"mounts": ["/srv"]}).may_mount("/etc", writable=True)
    assert not Policy.from_settings({}, maxima={"allowed_mounts": []}).may_mount("/srv", writable=False)
    assert "allowed_mounts" not in policy.to_dict()
    assert Policy.from_settings(policy.to_dict()).to_dict() == policy.to_dict()


def test_maxima_bind_the_winner_of_all_layers():
    """A value above the maximum that a stronger layer replaced is nobody's concern; the winner is."""
    layers = [Layer({"memory": "4g"}), Layer({"memory": "512m"})]
    assert Policy.from_layers(layers, maxima={"max_memory": "1g"}).memory == 512 * MiB
    with pytest.raises(PolicyError):
        Policy.from_layers(layers[::-1], maxima={"max_memory": "1g"})


@pytest.mark.parametrize(
    "maxima", [{"max_memroy": "1g"}, {"max_memory": "-1"}, {"max_memory": 5}, {"memory": "1g"}]
)
def test_misspelt_maxima_are_refused(maxima):
    """A misspelt or unusable maximum refuses everything, rather than bind nothing."""
    assert next(iter(maxima)) in refusal({}, maxima=maxima)


def test_every_field_can_be_bound():
    """No field that grants something lacks a maximum."""
    bound = {name.partition("_")[2] for name in MAXIMA_NAMES}
    assert set(FIELD_NAMES) - bound == {"profile", "engine", "image", "runtime", "network"}


@pytest.mark.parametrize(
    ("written", "mounts"),
    [
        ("/srv/data", ("/srv/data:ro",)),
        ("/srv/data:rw", ("/srv/data:rw",)),
        (["/srv/data", "/srv/other:rw"], ("/srv/data:ro", "/srv/other:rw")),
        ("/a, /b:rw", ("/a:ro", "/b:rw")),
        ("/srv/data,/srv/data:ro", ("/srv/data:ro",)),
        ("//srv///data/", ("/srv/data:ro",)),
        ("/srv/with:colon:ro", ("/srv/with:colon:ro",)),
        ("/srv/with:colon/deep", ("/srv/with:colon/deep:ro",)),
        ("", ()),
        ([], ()),
    ],
)
def test_mounts(written, mounts):
    """Mounts are absolute paths, read-only unless they say otherwise."""
    policy = Policy.from_settings({"mounts": written})
    assert policy.mounts == mounts
    assert [f"{mount.path}:{mount.mode}" for mount in policy.granted_mounts()] == list(mounts)


@pytest.mark.parametrize(
    "written",
    [
        "/",
        "//",
        "/.",
        "/:rw",
        "data",
        "~/data",
        "/srv/../etc",
        "/proc",
        "/proc/1",
        "/sys/fs",
        "/dev",
        "/a\0b",
        [1],
    ],
)
def test_mounts_that_hollow_out_the_wall(written):
    """The root, the kernel's own trees and paths that climb are refused."""
    assert "mounts" in refusal({"mounts": written})


@pytest.mark.parametrize("mode", ["rx", "RW", "r", "", "z"])
def test_a_mount_with_an_unknown_mode(mode):
    """It is refused as such, rather than taken for a path of that name."""
    words = refusal({"mounts": f"/srv/data:{mode}"})
    assert f"there is no mode '{mode}'" in words
    assert ":ro or :rw" in words


def test_a_mount_has_the_same_path_inside():
    """What programs for containers write, HERE:THERE, is no path with a colon."""
    assert "write '/srv/data' alone" in refusal({"mounts": "/srv/data:/data"})


@pytest.mark.parametrize("written", ["A=b", "1A", "A-B", "JPY_PARENT_PID", "IPYTHONDIR", "A B", [None]])
def test_variables_that_cannot_be_granted(written):
    """What is not a variable's name, or would end the kernel, is refused."""
    assert "env" in refusal({"env": written})


def test_environment():
    """SANDBOX_KERNEL_* variables make a policy; the rest of the environment is not looked at."""
    environ = {
        "SANDBOX_KERNEL_MEMORY": "512m",
        "SANDBOX_KERNEL_WORKSPACE": "RW",
        "SANDBOX_KERNEL_ENV": "LANG,TZ",
        "X": "y",
    }
    policy = policy_from_environment(environ)
    assert (policy.memory, policy.workspace, policy.env) == (512 * MiB, "rw", ("LANG", "TZ"))


@pytest.mark.parametrize(
    "name", ["SANDBOX_KERNEL_MEMROY", "SANDBOX_KERNEL_memory", "SANDBOX_KERNEL_", "SANDBOX_KERNEL_MAX_MEMORY"]
)
def test_unknown_variables_are_refused(name):
    """A misspelt SANDBOX_KERNEL_* is refused by its own name."""
    with pytest.raises(PolicyError, match=f"SANDBOX_KERNEL_{name.removeprefix('SANDBOX_KERNEL_')}"):
        policy_from_environment({name: "512m"})


def test_environment_is_bound_by_maxima():
    """The environment is as bound as any other place."""
    with pytest.raises(PolicyError, match="SANDBOX_KERNEL_MEMORY asks for 4 GiB"):
        policy_from_environment({"SANDBOX_KERNEL_MEMORY": "4g"}, maxima={"max_memory": "1g"})


def test_json_round_trip():
    """What to_dict writes is JSON, and makes the same policy."""
    policy = Policy.from_settings({"profile": "strict", "mounts": ["/srv:rw"], "env": "LANG", "cpus": "1.5"})
    assert Policy.from_settings(json.loads(json.dumps(policy.to_dict()))) == policy


def test_describe():
    """People read amounts with units."""
    described = Policy.from_settings({"memory": "512m", "cell_timeout": 90}).describe()
    assert list(described) == list(FIELD_NAMES)
    assert (described["memory"], described["cell_timeout"], described["session_timeout"]) == (
        "512 MiB",
        "1 min 30 s",
        "none",
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536 * MiB, "1.5 GiB"),
        (512 * MiB, "512 MiB"),
        (1 << 44, "16 TiB"),
    ],
)
def test_format_size(size, text):
    """Sizes are shown in the largest unit that fits."""
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (2.0, "2 s"), (60, "1 min"), (90, "1 min 30 s"), (3600, "1 h"), (5400, "1 h 30 min")],
)
def test_format_seconds(seconds, text):
    """Times are shown in hours, minutes and seconds."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("TOKEN", ("TOKEN",)),
        (["TOKEN:file=env:TOKEN", "TOKEN"], ("TOKEN",)),
        ("A:env, B=file:/run/secrets/b", ("A:env", "B=file:/run/secrets/b")),
        ("A=env:B", ("A=env:B",)),
    ],
)
def test_secrets_are_named(written, read):
    """A secret is a name, how it gets in, and where it is from; each in one way, the shortest."""
    policy = Policy.from_settings({"secrets": written})
    assert policy.secrets == read
    assert Policy.from_settings(policy.to_dict()) == policy


NO_SECRETS = [
    "TOKEN=hunter2hunter2",
    "user:hunter2hunter2",
    ["A", "A:env"],
    {"A": "hunter2hunter2"},
    [{"A": "hunter2hunter2"}],
    "A=file:hunter2hunter2",
    "A=file:/hunter2hunter2/../x",
    "A=env:hunter2-hunter2",
    ["A=hunter2hunter2\n"],
    "../hunter2hunter2",
]


@pytest.mark.parametrize("written", NO_SECRETS)
def test_a_refused_secret_is_not_repeated(written):
    """Whoever writes the value itself by mistake does not find it in a log."""
    message = refusal({"secrets": written})
    assert "secrets" in message
    assert "hunter2" not in message
    with pytest.raises(PolicyError) as caught:
        Policy(secrets=written)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("maxima", "asked", "named"),
    [
        ({"allowed_secrets": ["TOKEN"]}, "X=env:OTHER", "allowed_secrets"),
        ({"allowed_secrets": ["TOKEN"]}, "TOKEN=file:/etc/token", "allowed_secrets"),
        ({"allowed_secrets": []}, "TOKEN", "allowed_secrets"),
        ({"allowed_env": ["LANG"]}, "LANG=env:TOKEN", "allowed_env"),
        ({"allowed_mounts": ["/data"]}, "T=file:/etc/token", "allowed_mounts"),
    ],
)
def test_secrets_within_bounds(maxima, asked, named):
    """An administrator says where secrets may come from; else they are no way around other bounds."""
    assert named in refusal({"secrets": asked}, maxima=maxima)


@pytest.mark.parametrize(
    ("maxima", "asked"),
    [
        (
            {"allowed_secrets": ["TOKEN", "B=file:/etc/b"], "allowed_env": [], "allowed_mounts": []},
            "X=env:TOKEN",
        ),
        ({"allowed_secrets": ["B=file:/etc/b"], "allowed_mounts": []}, "OTHER:env=file:/etc/b"),
        ({"allowed_env": ["TOKEN"]}, "TOKEN"),
        ({"allowed_mounts": ["/data"]}, "T=file:/data/token"),
        ({"allowed_mounts": ["/data"]}, "TOKEN"),
    ],
)
def test_allowed_secrets(maxima, asked):
    """Of a secret that is allowed only the source counts."""
    assert Policy.from_settings({"secrets": asked}, maxima=maxima).secrets == (asked,)
