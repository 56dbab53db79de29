print("Hello, world!")
exit()
print("never printed: exit() ends a program")
