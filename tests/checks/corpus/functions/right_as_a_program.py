import argparse
import asyncio

parser = argparse.ArgumentParser()
parser.add_argument("--start", type=int, default=0)
START = parser.parse_args().start


async def total(*numbers):
    await asyncio.sleep(0)
    return sum(numbers, START)


def add(one, other):
    return one + other


def mean(numbers):
    if not numbers:
        raise ValueError("there is nothing to take the mean of")
    return asyncio.run(total(*numbers)) / len(numbers)


async def say(name, times):
    for _ in range(times):
        print(f"Hello, {name}!")


def greet(name, times=1):
    asyncio.run(say(name, times))
