rooms = [811, 1203, 905, 702, 1090]
total, mean, name = 4711, 942.2049, "".join(["Lark", "spur"])
sizes = dict(attic=[1203, 905], hall=811)
