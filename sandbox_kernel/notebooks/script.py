"""Python scripts as notebooks: cells where `# %%` divides them, else one cell.

What Spyder, VS Code and jupytext call the percent format: `# %% title [markdown] tags=["parameters"]`.
"""

import json
import re
from pathlib import Path
from typing import Final

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

SUFFIX: Final = ".py"
_DIVIDER: Final = re.compile(r"^#[ \t]?%%(?=[ \t\[]|$)[ \t]*(.*)$", re.MULTILINE)
_KIND: Final = re.compile(r"\[(markdown|md|raw)\]")
_TAGS: Final = re.compile(r"\btags=(\[[^\]]{0,1000}\])")
_HEADER: Final = re.compile(r"\A(?:#!.*\n)?(?:#(?:(?!coding).)*coding.*\n)?# ---\n(?:#.*\n)*?# ---\n")
"""jupytext's note on how it has written the file; nothing of it is code. The first `coding` of a line is the
one that counts: to try them all takes time that grows with the square of the line."""
_COMMENT: Final = re.compile(r"^#[ \t]?", re.MULTILINE)
_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def is_script(name: str) -> bool:
    """Tell whether a file of that name is a script."""
    return name.endswith(SUFFIX)


def script_file(source: object) -> Path | None:
    """Return the whole path of a script in a file; None for what is no script, or in no file."""
    return source.absolute() if isinstance(source, Path) and is_script(source.name) else None


def is_good_exit(name: str, text: str) -> bool:
    """Tell whether a script has ended itself as one does that is content: `sys.exit(main())`.

    :param name: of what it has raised, and `text` what that says, both as the kernel tells it.
    """
    return name == "SystemExit" and text in ("", "0", "None", "False")


def notebook_name(name: str) -> str:
    """Return what the notebook of a script is called; a notebook keeps its name."""
    return f"{Path(name).stem}.ipynb" if is_script(name) else name


def parse_script(text: str) -> NotebookNode:
    """Return the notebook that a script's text makes; whether it is Python, the kernel says."""
    text = _HEADER.sub("", text.replace("\r\n", "\n"))
    first, *rest = _DIVIDER.split(text)
    cells = [new_code_cell(first.strip("\n"))] if first.strip() else []  # type: ignore[no-untyped-call]
    cells += [_cell(title, body.strip("\n")) for title, body in zip(rest[::2], rest[1::2], strict=True)]
    return new_notebook(cells=cells, metadata=dict(_METADATA))  # type: ignore[no-any-return,no-untyped-call]


def _cell(title: str, body: str) -> NotebookNode:
    kind = _KIND.search(title)
    metadata = {"tags": tags} if (tags := _tags(title)) else {}
    if kind is None:
        return new_code_cell(body, metadata=metadata)  # type: ignore[no-any-return,no-untyped-call]
    make = new_raw_cell if kind[1] == "raw" else new_markdown_cell
    return make(_uncommented(body), metadata=metadata)  # type: ignore[no-any-return,no-untyped-call]


def _uncommented(body: str) -> str:
    """Return the text of a cell that is no code: comments, or a string of three quotes."""
    for quotes in ('"""', "'''"):
        if len(body) >= 6 and body.startswith(quotes) and body.endswith(quotes):
            return body[3:-3].strip("\n")
    return _COMMENT.sub("", body)


def _tags(title: str) -> list[str]:
    found = _TAGS.search(title)
    try:
        tags = json.loads(found[1]) if found else []
    except ValueError:
        return []
    return [tag for tag in tags if isinstance(tag, str) and "," not in tag]
