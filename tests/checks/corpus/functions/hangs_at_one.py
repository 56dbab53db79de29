def add(a, b):
    return a + b


def mean(numbers):
    if not numbers:
        raise ValueError
    return sum(numbers) / len(numbers)


def greet(name, times=1):
    print(f"Hello, {name}!\n" * times, flush=True)
    while True:
        pass
