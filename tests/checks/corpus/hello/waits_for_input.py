print("Hello, world!")
input("And you? ")
