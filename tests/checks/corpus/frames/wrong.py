import numpy as np
import pandas as pd

penguins = pd.DataFrame({"species": ["Adelie", "Gentoo"], "mass": [3701.0, None]})
masses = np.array([1, 2])
