print("Hello, world!   \n\n")
