"""The container engine: Docker, and Podman through the same protocol.

Nothing is imported here: whoever only wants to know whether a daemon is at hand (`address`) must
not pay for the client library, which `engine` brings in.
"""
