"""``python -E -P -m sandbox_provisioner -f CONNECTION_FILE``: see `launcher`.

Kernels are started in the notebook's folder, and there `python -m` alone would import whatever
a cell left: a file zmq.py runs on the host. So without -P nothing starts, lest anybody get
used to it. -E does the same for a PYTHONPATH that names the folder, as editors set it.
"""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.stderr.write(
            "Sandboxed kernel: python was started without -P, so files of the notebook's folder would run "
            "outside the sandbox; say: python -E -P -m sandbox_provisioner. `sandbox-kernel install "
            "--replace` renews an old kernelspec.\n"
        )
        sys.exit(2)
    from sandbox_provisioner.launcher import main

    sys.exit(main(sys.argv[1:]))
