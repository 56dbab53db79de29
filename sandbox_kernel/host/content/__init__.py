"""What a kernel shows, made harmless to the page that shows it.

JupyterLab runs the scripts of a cell's output in its own page, which holds the token that starts
unsandboxed kernels. So output is changed before any client sees it, and what is saved in a
notebook is harmless as well. What each kind of output can do there was tried in a browser:
.github/ACTIVE_OUTPUT.md has the table, tests/browser/test_hostile_output.py the attacks.

Rules of this package:

- Only what is known to be harmless passes as it is; what is not known is not passed.
- HTML that only describes stays in the page, written anew from a list of what it may hold.
- What acts (`isolate`) goes into a frame that the page is out of reach of, complete in itself; or
  (`strip`) is reduced to what describes. Nothing is dropped without a word, if it was all there was.
- What is checked is what is passed on, never a second spelling of it.
- All that it takes is imported with it, before any code runs inside: later a module may have been left
  where this process looks for modules (a script's own folder, shared `rw`).

`html`, `svg`, `markdown` and `texts` know one language each, `frame` builds the frame, `libraries`
carries into it what plotting libraries loaded before, `allowance` bounds what comes of one message,
`bundle` has the rule for each MIME type,
`widgets` those for comms, and `messages` applies them to messages.
"""

from sandbox_kernel.host.content.messages import content_filters, most_kept

__all__ = ["content_filters", "most_kept"]
