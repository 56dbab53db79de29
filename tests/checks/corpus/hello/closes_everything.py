import os
import sys

print("Hello, world!")
sys.stdout.flush()
os.closerange(0, 256)
os._exit(0)
