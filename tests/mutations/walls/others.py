"""Sandboxes in other people's programs, and what a language model is shown of one."""

from tests.mutations.mutation import Mutation, within

CONTENT = "sandbox_kernel/mcp/content.py"
ENGINE = "sandbox_kernel/plugins/papermill_engine.py"
PYTEST = "sandbox_kernel/plugins/pytest_sandbox.py"
SANDBOXED = "sandbox_kernel/notebooks/sandboxed.py"


def _content(*tests: str) -> tuple[str, ...]:
    return within("mcp/test_content.py", *tests)


def _papermill(*tests: str) -> tuple[str, ...]:
    return within("plugins/test_papermill.py", *tests)


MUTATIONS = (
    Mutation(
        "others-papermill-is-sandboxed",
        "papermill's engine `sandbox` puts any kernel behind a wall.",
        ENGINE,
        "            sandboxed=True,\n",
        "            sandboxed=False,\n",
        _papermill("test_any_python_kernel", "test_in_a_thread"),
    ),
    Mutation(
        "others-no-other-way-to-start",
        "A kernel whose kernelspec has something else start it is refused.",
        SANDBOXED,
        "        if named not in (None, PROVISIONER):\n",
        "        if not kernel_name:\n",
        _papermill("test_a_kernel_that_is_started_otherwise"),
    ),
    Mutation(
        "others-pytest-takes-back",
        "What `pytest --sandbox` has set is taken back at its end.",
        PYTEST,
        "        config.add_cleanup(patch.undo)\n",
        "",
        within("plugins/test_pytest.py", "test_restored"),
    ),
    Mutation(
        "others-no-html-for-models",
        "A model's client is not handed HTML, which it may show in a page.",
        CONTENT,
        '_READABLE: Final = ("text/plain", ',
        '_READABLE: Final = ("text/html", "text/plain", ',
        _content("test_forms"),
    ),
    Mutation(
        "others-pictures-are-some",
        "A picture that is none, which would have a service refuse a conversation, is left out.",
        CONTENT,
        "    if not image.data.startswith(signature) or (",
        "    if signature is None and (",
        _content("test_no_picture"),
    ),
    Mutation(
        "others-answers-have-an-end",
        "All text of an answer together has an end.",
        CONTENT,
        "        room = min(limit, self._left)\n",
        "        room = limit\n",
        _content("test_text_has_an_end", "test_thousands_of_outputs"),
    ),
    Mutation(
        "others-no-control-characters-for-models",
        "No control character of the code's reaches a model, or the terminal of its client.",
        CONTENT,
        '    return _HARMFUL.sub("", plain).encode',
        "    return plain.encode",
        _content("test_text_is_clean"),
    ),
)

SECTIONS = (("Other people's programs, and language models", MUTATIONS),)
