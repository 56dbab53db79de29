print("hello, World!")
