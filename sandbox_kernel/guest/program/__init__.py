"""Plain Python in place of a kernel: for code that is run as programs are, and asked about afterwards.

No messages of Jupyter's, no sockets, nothing to import: a process that runs one piece of code after the
other, and what its standard output, its standard error and its answers say, in the order of their bytes.
"""
