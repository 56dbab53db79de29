total = []
for _ in range(100_000):
    total = [total]
mean = name = rooms = sizes = total
