import os
import signal
import sys

print("Hello, world!")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
