"""The benchmark of checks measures something."""

import argparse

from tests.benchmarks.checks import measure


async def test_it_measures(tmp_path, capsys) -> None:
    """Both ways are tried, and CPU is counted where it is spent."""
    path = tmp_path / "hello.py"
    path.write_text("print('Hello, world!')")
    asked = argparse.Namespace(count=2, jobs=2, most=float("inf"), least=0.0, pause=0.0)
    assert await measure(asked, path, warm_up=1)
    said = capsys.readouterr().out
    assert "one by one: median " in said
    assert "2 at a time: " in said
    assert "by kernels: " in said
    assert said.count("ms of CPU each (this process ") == 2
