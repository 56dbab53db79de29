total = []
total.extend([total, total])
sizes = {}
sizes["hall"] = sizes["attic"] = sizes
mean = name = total
rooms = [rooms for rooms in [total] * 6]
