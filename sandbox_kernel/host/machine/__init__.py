"""How well a machine divides sandboxes from itself, for `doctor`.

`walls` grades each way to run a kernel by what a hole in Linux would give to code inside;
`holes` knows versions of the programs around it that have had holes; `settings` reads what of the
kernel's own settings makes an attack easier; `room` says what a policy asks for and nobody has here.
These are pure; `survey` looks at this machine, and is imported by itself: it asks daemons.
"""

from sandbox_kernel.host.machine.holes import Hole
from sandbox_kernel.host.machine.room import beyond, room_here
from sandbox_kernel.host.machine.settings import Setting
from sandbox_kernel.host.machine.walls import Wall

__all__ = ["Hole", "Setting", "Wall", "beyond", "room_here"]
