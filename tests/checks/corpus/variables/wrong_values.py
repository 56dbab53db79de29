rooms = [811, 1204, 905, 702, 1090]
total = 4712
mean = 942.4
name = "larkspur"
sizes = {"hall": 811, "attic": [1203, 906]}
