"""A sandbox for language models: tools of the Model Context Protocol, over standard input and output.

An ordinary client of `sandbox_kernel.session`, with one sandbox for each session of the protocol. Two
parties are not trusted. The code, as everywhere: what it puts out is bounded and checked. And the
model, which may have read anything: no tool takes a path of the host or reaches anything outside of the
sandbox, and what is granted is said by whoever starts the server, on its command line.

`content` makes what a model is shown, `notebooks` runs one cell by cell, `desk` keeps the sandbox,
`server` has the tools and their descriptions.
"""
