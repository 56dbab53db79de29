print("total = 4711, mean = 942.2, name = Larkspur")
