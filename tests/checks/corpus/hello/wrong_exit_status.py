import sys

print("Hello, world!")
sys.exit("something went wrong")
