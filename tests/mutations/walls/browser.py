"""What a kernel shows is shown in a page that may do much: there it may do nothing."""

from tests.mutations.mutation import Mutation, within

_CONTENT = "sandbox_kernel/host/content"
ALLOWANCE = f"{_CONTENT}/allowance.py"
BUNDLE = f"{_CONTENT}/bundle.py"
FRAME = f"{_CONTENT}/frame.py"
MARKDOWN = f"{_CONTENT}/markdown.py"
SVG = f"{_CONTENT}/svg.py"
TEXTS = f"{_CONTENT}/texts.py"
WIDGETS = f"{_CONTENT}/widgets.py"


def _frame(*tests: str) -> tuple[str, ...]:
    return within("host/content/test_frame.py", *tests)


def _widgets(*tests: str) -> tuple[str, ...]:
    return within("host/content/test_widgets.py", *tests)


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
    Mutation(
        "browser-frames-of-a-message",
        "However many figures are in one message, they do not each bring a library along.",
        ALLOWANCE,
        "return self._frames > 0",
        "return True",
        within("host/content/test_messages.py", "test_one_message_does_not_become_a_hundred_libraries"),
    ),
    Mutation(
        "browser-reading-of-a-message",
        "What is written anew of one message takes seconds at most.",
        ALLOWANCE,
        "return self._read >= 0",
        "return True",
        within("host/content/test_messages.py", "test_little_of_one_message_is_written_anew"),
    ),
    Mutation(
        "browser-pictures-are-bounded",
        "A picture of a million parts, or with groups without end, is not read to its end.",
        SVG,
        "if len(self._nest) >= MAX_NESTING or self._elements > MAX_ELEMENTS:",
        "if False:",
        within(
            "host/content/test_svg.py", "test_there_is_an_end_to_a_picture", "test_what_is_no_svg_is_nothing"
        ),
    ),
    Mutation(
        "browser-pictures-have-no-entities",
        "Some bytes of a picture do not become gigabytes.",
        SVG,
        "    parser.EntityDeclHandler = _refuse_entity\n",
        "",
        within("host/content/test_svg.py", "test_what_is_no_svg_is_nothing"),
    ),
    Mutation(
        "browser-pictures-only-draw",
        "No script, handler or page is carried within a picture.",
        SVG,
        "if self._skipped or space != _SVG or local not in _READ:",
        "if self._skipped:",
        within("host/content/test_svg.py", "test_what_acts_goes"),
    ),
    Mutation(
        "browser-markdown-is-short",
        "Markdown whose time grows faster than its length is not begun with.",
        MARKDOWN,
        "if len(text) > MAX_CONVERTED or self._left <= 0:",
        "if self._left <= 0:",
        within("host/content/test_markdown.py", "test_a_long_text_is_not_converted"),
    ),
    Mutation(
        "browser-markdown-takes-little-time",
        "No Markdown keeps what carries a kernel's messages busy.",
        MARKDOWN,
        "if time.thread_time() > end:",
        "if False:",
        within("host/content/test_markdown.py", "test_what_takes_long_is_given_up"),
    ),
    Mutation(
        "browser-markdown-adds-up",
        "Nor does much of it, shown again and again.",
        MARKDOWN,
        "self._left -= time.thread_time() - began",
        "pass",
        within("host/content/test_markdown.py", "test_what_takes_long_adds_up"),
    ),
    Mutation(
        "browser-what-is-missing-is-told",
        "Who sees no picture reads that there was one, and why it is not shown.",
        BUNDLE,
        "yield _BOUNDS[mime]",
        "yield from ()",
        within(
            "host/content/test_bundle.py",
            "test_a_picture_that_cannot_be_checked_has_a_frame_of_its_own",
            "test_a_picture_too_many_is_told_of",
            "test_markdown_that_cannot_be_checked_is_told_of",
        ),
    ),
    Mutation(
        "browser-widgets-are-known",
        "A widget of a module that runs what its model brings is not made.",
        WIDGETS,
        "usable = comm_id not in self._models and self._is_known(state)",
        "usable = comm_id not in self._models",
        _widgets("test_unknown_modules_and_classes_are_refused"),
    ),
    Mutation(
        "browser-widgets-keep-their-type",
        "No text is shown as HTML later than it was looked at.",
        WIDGETS,
        "            if clean.get(name) != model.type[name]:\n",
        "            if False:\n",
        _widgets("test_a_text_does_not_become_html"),
    ),
    Mutation(
        "browser-widgets-html",
        "HTML in a widget is made harmless as HTML in a cell is.",
        WIDGETS,
        'if name == "value" and model.is_one_of(_HTML):',
        "if False:",
        _widgets("test_html_is_made_harmless_whenever_it_comes"),
    ),
    Mutation(
        "browser-widgets-methods",
        "With an update come only the fields that belong to an update: others were not looked at.",
        WIDGETS,
        'return {"method": method, "state": clean, **self._paths(data)}',
        'return {**data, "state": clean, **self._paths(data)}',
        _widgets("test_nothing_is_said_beside_what_is_looked_at"),
    ),
    Mutation(
        "browser-widgets-custom",
        "Nor with a message of a widget's own.",
        WIDGETS,
        'return {"method": method, "content": data.get("content")} if method == "custom" else {}',
        "return data",
        _widgets("test_nothing_is_said_beside_what_is_looked_at"),
    ),
    Mutation(
        "browser-widgets-reports",
        "The states that a page asks for when it is loaded anew are looked at like the first ones.",
        WIDGETS,
        "reported = self._reported(states) if isinstance(states, dict) else {}",
        "reported = states",
        _widgets("test_a_client_that_comes_back_gets_the_same", "test_a_report_is_an_object_of_models"),
    ),
    Mutation(
        "browser-widgets-links",
        "The page copies no text into HTML, past everything here.",
        WIDGETS,
        "return end[1] in _LINKABLE",
        "return True",
        _widgets("test_links_do_not_carry_text_into_html"),
    ),
    Mutation(
        "browser-widgets-buffers",
        "Bytes are put into a model, and not into what all objects of the page have in common.",
        WIDGETS,
        'return {"buffer_paths": paths if plain else []}',
        'return {"buffer_paths": paths}',
        _widgets("test_buffers_go_where_they_may"),
    ),
    Mutation(
        "browser-widgets-are-counted",
        "What is kept of widgets has an end.",
        WIDGETS,
        "if len(comm_id) > MAX_NAME or (len(self._models) >= MAX_WIDGETS and comm_id not in self._models):",
        "if False:",
        _widgets("test_there_is_an_end_to_widgets"),
    ),
)

SECTIONS = (("What is shown in the browser", MUTATIONS),)
