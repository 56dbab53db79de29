"""Modules that a kernel has imported before its first cell, on every engine."""

from sandbox_kernel.policy import Policy


def test_modules_are_there_before_the_first_cell_and_what_is_missing_is_named(start):
    """They are imported, and no name of theirs is among the user's. One that fails stops nothing."""
    kernel = start(Policy(preload=("colorsys", "no_such_module")), fork=False)
    assert (
        kernel.run("import sys\nprint('colorsys' in sys.modules, 'colorsys' in globals())").text()
        == "True False\n"
    )
    assert "no_such_module could not be imported before the first cell" in "".join(kernel.log)
