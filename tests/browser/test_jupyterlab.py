"""The sandboxed kernel as people meet it: in JupyterLab."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import KERNEL, Lab


def test_launcher(lab: Lab, picture: Callable[[str], None]) -> None:
    """Chosen in the launcher, the kernel runs a cell, and it runs it behind the wall."""
    lab.open_launcher()
    expect(lab.launcher_card.locator("img")).to_have_js_property("complete", True)
    picture("launcher-cards")
    lab.new_notebook()
    cell = lab.execute("import platform; print('hello from', platform.node())")
    expect(lab.output(cell)).to_contain_text("hello from sandbox")


def test_analysis(lab: Lab) -> None:
    """The analysis notebook runs from top to bottom and its plots can be seen."""
    lab.open("analysis.ipynb")
    expect(lab.kernel_name).to_have_text(KERNEL)
    lab.menu("Run", "Run All Cells")
    lab.expect_all_executed()
    plots = lab.notebook.locator(".jp-RenderedImage img")
    expect(plots.first).to_be_attached()
    assert plots.count() >= 3
    for plot in plots.all():
        assert plot.evaluate(
            "image => image.complete && image.naturalWidth > 200 && image.naturalHeight > 100"
        )
    plots.first.hover()  # scrolls there, and waits until the page has stopped moving
    expect(plots.first).to_be_in_viewport(ratio=0.5)
    expect(lab.notebook.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)


def test_interrupt(lab: Lab) -> None:
    """The stop button ends a busy cell with KeyboardInterrupt, and the kernel keeps its state."""
    lab.new_notebook()
    lab.execute("kept = 'still here'")
    busy = lab.execute("print('busy now', flush=True)\nwhile True: pass")
    expect(lab.output(busy)).to_contain_text("busy now")
    lab.toolbar("interrupt")
    expect(lab.output(busy)).to_contain_text("KeyboardInterrupt")
    expect(lab.output(lab.execute("print(kept)"))).to_contain_text("still here")


def test_restart(lab: Lab) -> None:
    """After a restart the notebook is connected to a kernel that knows nothing."""
    lab.new_notebook()
    expect(lab.output(lab.execute("x = 1; print('set')"))).to_contain_text("set")
    lab.toolbar("restart")
    lab.accept()
    lab.expect_state("Idle")
    expect(lab.output(lab.execute("print('x' in globals())"))).to_contain_text("False")


def test_widget(lab: Lab) -> None:
    """A slider that is moved tells the kernel, and one that the kernel sets moves on the page."""
    lab.new_notebook()
    shown = lab.execute(
        "import ipywidgets\nslider = ipywidgets.IntSlider(value=7, min=0, max=100)\n"
        "told = ipywidgets.Label('nothing yet')\n"
        "slider.observe(lambda change: setattr(told, 'value', f'kernel knows {change.new}'), 'value')\n"
        "display(slider, told)"
    )
    handle = lab.output(shown).locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    expect(lab.output(shown)).to_contain_text("kernel knows 8")
    lab.execute("slider.value = 42")
    expect(lab.output(shown).locator(".widget-readout")).to_have_text("42")
    expect(lab.output(shown)).to_contain_text("kernel knows 42")


def test_input(lab: Lab) -> None:
    """input() asks in the cell and gets what was typed."""
    lab.new_notebook()
    asked = lab.execute("name = input('your name? '); print('hello', name)")
    answer = lab.output(asked).locator("input.jp-Stdin-input")
    answer.fill("Ada")
    answer.press("Enter")
    expect(lab.output(asked)).to_contain_text("hello Ada")


def test_out_of_memory(lab: Lab, picture: Callable[[str], None]) -> None:
    """A cell that takes too much memory says so itself, and a fresh kernel takes over."""
    lab.new_notebook()
    lab.execute("kept = 'gone after this'")
    greedy = lab.execute("hoard = []\nwhile True: hoard.append(bytearray(64 << 20))")
    expect(lab.output(greedy)).to_contain_text("memory")
    expect(lab.output(greedy)).to_contain_text("1 GiB")
    picture("out-of-memory-explained")
    lab.accept()
    lab.expect_state("Idle")
    expect(lab.output(lab.execute("print('kept' in globals())"))).to_contain_text("False")
