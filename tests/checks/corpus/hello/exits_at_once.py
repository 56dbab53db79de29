import os
import sys

print("Hello, world!")
sys.stdout.flush()
os._exit(0)
