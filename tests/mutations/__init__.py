"""Does a test fail when a protection is switched off?

`python -m tests.mutations` takes the walls away one by one, each in a copy of the checkout of its
own, and runs the tests that are to notice. README.md beside this file lists them.

`walls` says what is switched off and who notices, `copies` makes the copies, `trial` runs the
tests, `table` writes README.md.
"""
