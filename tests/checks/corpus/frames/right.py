import pandas as pd

penguins = pd.DataFrame({"species": ["Adelie", "Gentoo"], "mass": [3700.45, None]}, index=[7, 8])
masses = penguins["mass"]
