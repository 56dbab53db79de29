"""How well a machine divides sandboxes from itself, for `doctor`.

`walls` grades each way to run a kernel by what a hole in Linux would give to code inside;
`holes` knows versions of the programs around it that have had holes; `settings` reads what of the
kernel's own settings makes an attack easier; `room` says what a policy asks for and nobody has here.
These are pure; `survey` looks at this machine: it asks daemons. Each is imported by itself: every run
looks for `room`, and none of the rest.
"""
