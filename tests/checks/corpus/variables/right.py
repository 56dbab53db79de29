rooms = [811, 1203, 905, 702, 1090]
total = sum(rooms)
mean = total / len(rooms)
name = "Larkspur"
sizes = {"hall": 811, "attic": [1203, 905]}
print(total)
