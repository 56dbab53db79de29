"""Sandboxes in other people's programs: papermill, and pytest with what runs notebooks there.

These programs import the modules that our entry points name in every session of theirs, whether
anybody asked for a sandbox or not. So those modules (`papermill`, `pytest`) say what there is, import
nothing, and change nothing; the work is in modules that are loaded when it is asked for.
"""
