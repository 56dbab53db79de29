# More than a mebibyte, with what is expected at its beginning and at its end.
print("Hello, world!")
for _ in range(30):
    print(" " * 100_000)
print("")
