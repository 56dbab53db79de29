"""What a hostile kernel shows does not act in the page of JupyterLab, and what is good still draws."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import figures, hostile
from tests.browser.conftest import serving, started, window
from tests.browser.elsewhere import HOST, Web, web
from tests.browser.lab import Lab

MODES = ("trust", "isolate", "strip")
TOKEN = "the-token-that-starts-unsandboxed-kernels"
LISTEN = """
window.reached = new Set(); window.stopped = new Set(); window.probe = null;
if (window === top) addEventListener('message', ({data}) => {
    if (typeof data === 'string') window.stopped.add(data);
    else if (data.probe) window.probe = data.probe;
});
"""
CLICK = """
for (const output of document.querySelectorAll('.jp-OutputArea-output'))
    for (const it of output.querySelectorAll('button, [onclick]')) it.click()
"""
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Every other machine of the web."""
    with web(tmp_path_factory.mktemp("elsewhere"), figures.library) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(elsewhere: Web) -> Iterator[Browser]:
    """A Chromium that finds nothing but what is here."""
    with started(*elsewhere.arguments) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[tuple[str, Path]]:
    """JupyterLab that wants a token, with a kernel for each mode."""
    home = tmp_path_factory.mktemp("home")
    kernel = json.loads((repository / "kernelspecs" / "sandboxed-python" / "kernel.json").read_text())
    for mode in MODES:
        kernel["display_name"] = f"Python ({mode})"
        kernel["metadata"]["kernel_provisioner"]["config"] = {"engine": "bubblewrap", "html": mode}
        where = home / ".local" / "share" / "jupyter" / "kernels" / mode / "kernel.json"
        where.parent.mkdir(parents=True)
        where.write_text(json.dumps(kernel))
    with serving(home, repository, token=TOKEN) as served:
        yield served


class Page:
    """A window of JupyterLab that notes what the outputs in it do."""

    def __init__(self, lab: Lab, mode: str) -> None:
        self.lab = lab
        self.mode = mode
        lab.page.context.add_init_script(LISTEN)

    def run(self, cells: list[str]) -> None:
        """Execute cells in a notebook of their own; return when the last has shown its output."""
        cells = [*cells, "import ipywidgets; display(ipywidgets.HTML('<b>the end</b>'))"]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {
            "name": self.mode,
            "display_name": self.lab.kernel,
            "language": "python",
        }
        nbformat.write(notebook, self.lab.notebooks / f"{self.mode}.ipynb")
        self.lab.open(f"{self.mode}.ipynb")
        self.lab.menu("Run", "Run All Cells")
        expect(self.lab.notebook.get_by_text("the end", exact=True)).to_be_visible(timeout=90_000)

    def load_anew(self) -> None:
        """Save and load the page again; return when widgets are as the kernel reports them.

        JupyterLab waits four seconds for that report, which a busy machine may take: then it is asked again.
        """
        self.lab.page.get_by_role("menuitem", name="File", exact=True).click()
        self.lab.page.locator(".lm-Menu-item[data-command='docmanager:save']").click()
        expect(self.lab.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
        told = self.lab.notebook.get_by_text("it was told", exact=True)
        for _ in range(3):
            self.lab.open(f"{self.mode}.ipynb")
            with suppress(AssertionError):
                expect(told).to_be_visible(timeout=15_000)
                return
        raise AssertionError("the page got no report of its widgets")

    def noted(self, what: str) -> set[str]:
        """Return which attacks "reached" the page, or were "stopped"."""
        return set(self.lab.page.evaluate(f"[...window.{what}]"))

    def wait_for(self, what: str, names: frozenset[str]) -> None:
        """Wait until these attacks have reached the page, or were stopped."""
        self.lab.page.wait_for_function(
            "([what, names]) => names.every(name => window[what].has(name))", arg=[what, sorted(names)]
        )


@contextmanager
def opened(
    chromium: Browser, server: tuple[str, Path], screenshots: Path, mode: str, picture: str
) -> Iterator[Page]:
    """A window high enough that JupyterLab shows every output of a long notebook."""
    with window(chromium, server, screenshots / f"{picture}-{mode}.png", f"Python ({mode})") as lab:
        lab.page.goto(f"{server[0]}/lab?token={TOKEN}")
        lab.page.set_viewport_size({"width": 1000, "height": 12_000})
        yield Page(lab, mode)


def attacks() -> list[str]:
    """Return the cells of a notebook with every attack, the one on the notebook itself last."""
    named = (f"name = {name!r}\n{code.strip()}" for name, code in hostile.ATTACKS.items())
    return [hostile.PRELUDE.strip(), *named, hostile.REPORT.strip(), hostile.REPLACE]


def test_attacks_work_where_output_is_trusted(
    chromium: Browser, server: tuple[str, Path], screenshots: Path, elsewhere: Web
) -> None:
    """Each attack of the collection is one: it reaches the page, or another machine, if nothing is done."""
    elsewhere.asked.clear()
    with opened(chromium, server, screenshots, "trust", "hostile") as page:
        page.run(attacks())
        page.lab.page.evaluate(CLICK)
        page.wait_for("reached", frozenset(name for name in hostile.ATTACKS if not name.startswith("call-")))
        expect(page.lab.cells.nth(-2)).not_to_contain_text("replace=True")
        assert page.lab.page.evaluate("fetch('/api/contents').then(reply => reply.status)") == 200
        page.load_anew()
        page.wait_for("reached", frozenset({"widget-report"}))
    assert elsewhere.paths(HOST) == {name for name in hostile.ATTACKS if name.startswith("call-")}


@pytest.mark.parametrize("mode", ["isolate", "strip"])
def test_attacks_fail(
    chromium: Browser, server: tuple[str, Path], screenshots: Path, elsewhere: Web, mode: str
) -> None:
    """None of them reaches the page or another machine, whether it runs in a frame or not at all."""
    elsewhere.asked.clear()
    with opened(chromium, server, screenshots, mode, "hostile") as page:
        page.run([*attacks(), f"show('text/html', '<script type=module>' + {hostile.PROBE!r} + '</script>')"])
        page.lab.page.evaluate(CLICK)
        if mode == "isolate":
            page.wait_for("stopped", hostile.IN_FRAMES)
            page.lab.page.wait_for_function("window.probe !== null")
            check_probe(page.lab.page.evaluate("window.probe"), server[0])
        else:
            assert page.noted("stopped") == set()
            assert page.lab.page.evaluate("window.probe") is None
            assert page.lab.notebook.locator(".jp-OutputArea iframe[srcdoc]").count() == 0
        assert page.noted("reached") == set()
        expect(page.lab.cells.filter(has_text="replace=True")).to_have_count(1)
        page.load_anew()
        if mode == "isolate":
            page.wait_for("stopped", frozenset({"widget-report"}))
        assert page.noted("reached") == set()
    assert elsewhere.paths(HOST) == set()


def check_probe(told: dict[str, str], address: str) -> None:
    """A frame was refused everything, and was not told the page's address."""
    known = {name: told.pop(name) for name in ("base", "referrer")}
    assert all(end.startswith("no: ") for end in told.values()), told
    assert len(told) == 12
    assert address not in "".join(known.values()), known


def test_figures_draw(chromium: Browser, server: tuple[str, Path], screenshots: Path) -> None:
    """Charts, maps and widgets of the usual libraries are drawn where output is isolated, and answer."""
    with opened(chromium, server, screenshots, "isolate", "figures") as page:
        page.run(list(figures.CELLS.values()))
        outputs = {name: page.lab.output(number) for number, name in enumerate(figures.CELLS)}
        for name, (drawn, touched, answer) in figures.DRAWN.items():
            frame = outputs[name].frame_locator("iframe").last.frame_locator("iframe")
            inner = frame.frame_locator("iframe") if name == "folium" else frame
            expect(inner.locator(drawn).first).to_be_visible()
            if name == "folium":  # three frames deep, the pointer is not dependable
                inner.locator(touched).first.dispatch_event("mouseover")
            else:
                inner.locator(touched).first.hover(force=True)
            expect(inner.locator(answer).first).to_be_visible()
        expect(outputs["table"].locator("table.dataframe td").first).to_have_text("a")
        handle = outputs["widgets"].locator(".noUi-handle")
        handle.focus()
        handle.press("ArrowRight")
        expect(outputs["widgets"]).to_contain_text("kernel knows 8")
