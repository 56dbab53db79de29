text = "x" * 10_000_000
total = rooms = [text] * 100
mean = sizes = {number: text for number in range(100)}
name = text
