import threading
import time


def work():
    while True:
        time.sleep(0.01)


for _ in range(5):
    threading.Thread(target=work, daemon=True).start()
print("Hello, world!")
