def measure():
    rooms = [811, 1203, 905, 702, 1090]
    total = 4711
    return total, rooms


total, rooms = measure()
del total, rooms
