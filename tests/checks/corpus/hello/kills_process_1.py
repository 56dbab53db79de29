import os
import signal
import sys

print("Hello, world!")
sys.stdout.flush()
for number in (signal.SIGTERM, signal.SIGKILL):
    os.kill(1, number)
os.kill(-1, signal.SIGKILL)
os._exit(0)
