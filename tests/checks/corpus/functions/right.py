def add(a, b):
    return a + b


def mean(numbers):
    if not numbers:
        raise ValueError("no numbers")
    return sum(numbers) / len(numbers)


def greet(name, times=1):
    for _ in range(times):
        print(f"Hello, {name}!")
