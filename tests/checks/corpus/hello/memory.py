print("Hello, world!")
hoard = []
while True:
    hoard.append(bytearray(16 << 20))
