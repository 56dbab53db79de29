import sys

print("Hello, world!", file=sys.stderr)
