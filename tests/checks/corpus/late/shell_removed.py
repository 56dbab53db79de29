import sys

print("Hello, world!")
sys.stdout.flush()
for name in [name for name in sys.modules if name.startswith(("IPython", "ipykernel", "json", "zmq"))]:
    sys.modules[name] = None
