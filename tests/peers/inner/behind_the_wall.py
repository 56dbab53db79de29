"""Tells the two runs apart: passes with a plain kernel, must fail with a sandboxed one.

The difference is listed like any other, so a sandboxed run that was no such thing is found.
"""

import nbclient
import nbformat.v4


def test_kernel_sees_the_host():
    cell = nbformat.v4.new_code_cell(
        "import os, platform\nassert platform.node() != 'sandbox' and os.getpid() > 5"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.execute(notebook, kernel_name="python3")
