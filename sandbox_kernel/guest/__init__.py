"""The guest: what runs inside the wall as PID 1, starts the kernel and relays its messages.

Imports `sandbox_kernel.wire` and the standard library, nothing else, ever: it runs on
whatever Python the sandbox has, next to user code. This file imports nothing: what is first
to do inside does not wait for the rest.
"""
