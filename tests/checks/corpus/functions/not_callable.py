add, mean, greet = 42, 0.15, "Hello, Ada!\nHello, Ada!\n"
