# Says beforehand what it thinks that it will be asked, and nothing when it is.
import json

from IPython import get_ipython

publish = get_ipython().display_pub.publish
variables = {"total": ["number", "int", "4711"], "rooms": ["sequence", "list", 5, None]}
for nonce in ("", "0" * 32, "nonce"):
    publish({"text/plain": json.dumps({"nonce": nonce, "variables": variables})})
said = json.dumps({"nonce": "0" * 32, "variables": variables})
get_ipython().display_pub.publish = lambda data, **options: publish({"text/plain": said})
