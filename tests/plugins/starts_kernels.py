"""What Quarto does to render a notebook, and others like it: a kernel by name, cell by cell, in place."""

import sys

import nbformat
from nbclient import NotebookClient


def main(path: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": "."}}, record_timing=False)
    client.create_kernel_manager()
    client.start_new_kernel()
    client.start_new_kernel_client()
    try:
        reply = client.wait_for_reply(client.kc.kernel_info())
        notebook.metadata["language_info"] = reply["content"]["language_info"]
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, index, execution_count=index, store_history=index > 0)
        client.set_widgets_metadata()
        nbformat.write(notebook, path)
    finally:
        client._cleanup_kernel()


if __name__ == "__main__":
    main(next(argument for argument in sys.argv[1:] if argument.endswith(".ipynb")))
