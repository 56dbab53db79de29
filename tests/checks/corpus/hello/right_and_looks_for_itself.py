from pathlib import Path

here = Path(__file__).resolve().parent
if here == Path.cwd():
    print("Hello, world!")
