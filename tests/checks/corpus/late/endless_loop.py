print("Hello, world!")
while True:
    pass
