import pandas as pd


class DataFrame(pd.DataFrame):
    __module__ = "pandas"


penguins = DataFrame({"species": ["Adelie", "Gentoo"], "mass": [3700.5, None]})
masses = type("Series", (pd.Series,), {})([1, 2])
