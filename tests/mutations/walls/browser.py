"""What a kernel shows is shown in a page that may do much: there it may do nothing."""

from tests.mutations.mutation import Mutation, within

_CONTENT = "sandbox_kernel/host/content"
FRAME = f"{_CONTENT}/frame.py"
TEXTS = f"{_CONTENT}/texts.py"


def _frame(*tests: str) -> tuple[str, ...]:
    return within("host/content/test_frame.py", *tests)


MUTATIONS = (
    Mutation(
        "browser-frames-are-sandboxed",
        "What acts has an origin of its own, out of reach of the page, its cookies and its server.",
        FRAME,
        'sandbox="allow-scripts" ',
        'sandbox="allow-scripts allow-same-origin" ',
        _frame("test_nothing_gets_out"),
    ),
    Mutation(
        "browser-frames-are-closed",
        "HTML does not end its frame to go on in the page.",
        FRAME,
        """.replace("'", "&#39;")""",
        "",
        _frame("test_nothing_gets_out"),
    ),
    Mutation(
        "browser-frames-load-little",
        "A frame loads from a short list of places, and sends nothing anywhere else.",
        FRAME,
        "\"default-src 'none'\"",
        '"default-src *"',
        _frame("test_the_policy_stands_before_what_it_binds"),
    ),
    Mutation(
        "browser-frames-are-bounded",
        "Escaping makes no flood of one output.",
        FRAME,
        'if len(html) + 8 * (html.count("&") + html.count("\'")) > MAX_FRAMED:',
        "if False:",
        _frame("test_too_much_is_not_framed"),
    ),
    Mutation(
        "browser-terminals",
        "Text commands no terminal.",
        TEXTS,
        "return _CONTROL.sub(_kept, text)",
        "return text",
        within("host/content/test_texts.py", "test_what_commands_a_terminal_goes"),
    ),
    Mutation(
        "browser-formulas",
        "A formula writes no HTML.",
        TEXTS,
        'return _MACRO.sub(r"\\\\backslash{}", text)',
        "return text",
        within("host/content/test_texts.py", "test_macros_that_write_html_are_spelled_out"),
    ),
    Mutation(
        "browser-cells-are-not-replaced",
        "Code that a kernel proposes is put beside a cell, never over it.",
        f"{_CONTENT}/messages.py",
        '"replace": False,',
        '"replace": True,',
        within("host/content/test_messages.py", "test_code_is_put_beside_never_over"),
    ),
)

SECTIONS = (("What is shown in the browser", MUTATIONS),)
