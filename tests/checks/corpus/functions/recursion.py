def add(a, b):
    return add(a, b)


mean = greet = lambda *arguments, **keywords: add(1, 2)
