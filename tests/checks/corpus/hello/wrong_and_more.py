print("Hello, world!")
print("Anything else?")
