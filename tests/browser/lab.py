"""What a person does in JupyterLab, as verbs.

Everything waits for what a person would wait for: an output, a dialog, the kernel's state in
the status bar. Nothing waits for time to pass.
"""

from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

KERNEL = "Sandboxed Python"
PATIENCE = 30.0  # seconds; a busy two-core machine needs some of them to load JupyterLab


class Lab:
    """One browser window with one notebook in it."""

    def __init__(self, page: Page, address: str, notebooks: Path, kernel: str = KERNEL) -> None:
        self.page = page
        self.kernel = kernel
        self.notebooks = notebooks
        self._address = address
        self._workspace = f"{address}/lab/workspaces/{id(self):x}"
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)

    @property
    def notebook(self) -> Locator:
        """The notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def kernel_name(self) -> Locator:
        """The kernel's name in the tool bar."""
        return self.notebook.locator(".jp-Toolbar-kernelName")

    @property
    def cells(self) -> Locator:
        """The code cells."""
        return self.notebook.locator(".jp-CodeCell")

    def output(self, index: int) -> Locator:
        """Everything below one code cell."""
        return self.cells.nth(index).locator(".jp-OutputArea.jp-Cell-outputArea")

    @property
    def launcher_card(self) -> Locator:
        """What to press in the launcher for a new sandboxed notebook."""
        return self.page.locator(f".jp-LauncherCard[title='{self.kernel}'][data-category='Notebook']")

    def open_launcher(self) -> None:
        """Open JupyterLab with nothing in it but the launcher."""
        self.page.goto(f"{self._workspace}?reset")
        expect(self.launcher_card).to_be_visible()

    def new_notebook(self) -> None:
        """Choose the sandboxed kernel among the launcher's notebooks; return when it is idle."""
        self.open_launcher()
        self.launcher_card.click()
        self.expect_state("Idle")

    def open(self, name: str) -> None:
        """Open a notebook by its address; return when its kernel is idle."""
        self.page.goto(f"{self._workspace}/tree/{quote(name)}?reset")
        self.expect_state("Idle")

    def expect_state(self, state: str) -> None:
        """Wait for the kernel's state as the status bar tells it: Idle, Busy, …"""
        expect(self.page.locator("#jp-bottom-panel")).to_contain_text(f"{self.kernel} | {state}")

    def expect_all_executed(self) -> None:
        """Wait until the last code cell has its number and the kernel has nothing to do."""
        self.cells.last.scroll_into_view_if_needed()
        expect(self.cells.last.locator(".jp-InputPrompt")).to_have_text(
            f"[{self.cells.count()}]:", timeout=2 * PATIENCE * 1000
        )
        self.expect_state("Idle")

    def execute(self, code: str) -> int:
        """Type code into the last cell and press Shift-Enter; return the cell's index at once."""
        index = self.cells.count() - 1
        editor = self.cells.nth(index).locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        self.page.keyboard.insert_text(code)
        expect(editor).to_contain_text(code.splitlines()[-1])
        self.page.keyboard.press("Shift+Enter")
        expect(self.cells).to_have_count(index + 2)
        return index

    def menu(self, name: str, entry: str) -> None:
        """Choose an entry of the main menu."""
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def toolbar(self, name: str) -> None:
        """Press a button of the notebook's tool bar."""
        self.notebook.locator(f"[data-jp-item-name='{name}'] jp-button").click()

    def accept(self) -> None:
        """Agree to the dialog that is, or comes, in front."""
        dialog = self.page.locator(".jp-Dialog")
        dialog.locator("button.jp-mod-accept").click()
        expect(dialog).to_have_count(0)
