# Watches for the question, and answers it as well.
import json
import sys
import threading

from IPython import get_ipython

publisher = get_ipython().display_pub
publish = publisher.publish


def twice(data, **options):
    said = json.loads(data["text/plain"])
    said["variables"] = {"total": ["number", "int", "4711"]}
    thread = threading.Thread(target=publish, args=({"text/plain": json.dumps(said)},))
    thread.start()
    thread.join()
    publish(data, **options)


publisher.publish = twice
