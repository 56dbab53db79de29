# Beginners give names to things without knowing that they are taken.
rooms = [811, 1203, 905, 702, 1090]
total = sum(rooms)
mean = total / len(rooms)
name = "Larkspur"
sizes = {"hall": 811, "attic": [1203, 905]}
list = [1, 2]
dict = {}
str = "text"
type = len = id = print = input = repr = sorted = getattr = isinstance = callable = None
json = IPython = builtins = sys = "mine"
exec = globals = compile = __import__ = "also mine"
names = request = answer = Describer = describe = 5
