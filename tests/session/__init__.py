"""Sandboxes for programs: what a call returns, what crosses the wall, and that nothing stays."""
