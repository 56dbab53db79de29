total = 10**1_000_000
mean = name = sizes = -total
rooms = [total] * 6
