"""Who ran what, when, how long, and how it ended: one line of JSON for each thing that happened.

    the sandbox's thread ── Audit ── Recorder: hears of cells from the guard, writes records
                              │
                              ├── Writer: a thread, for a disk may hang where a kernel must not
                              │      └── AuditLog: one file for all of a user's processes
                              └── whoever else wants the records (a Jupyter Server's events)

Rules:

- Every value of a record is ours, or has a cap of its own. A kernel can bring about that cells
  end, and choose between three words for how; it cannot add a line, nor make one longer.
- The log is no reason for a kernel to fail, unless an administrator says that it is
  (`audit = "required"`): then nothing runs that could not be written down.
- Code itself is kept only by choice (`audit_code`); values of secrets never.

What it is not: evidence against the person who runs kernels. The file is theirs.
"""

from sandbox_kernel.host.audit.audit import Audit, Kernel
from sandbox_kernel.host.audit.environment import fingerprint
from sandbox_kernel.host.audit.log import AuditLog, default_path
from sandbox_kernel.host.audit.settings import AUDIT_NAMES, AuditSettings

__all__ = ["AUDIT_NAMES", "Audit", "AuditLog", "AuditSettings", "Kernel", "default_path", "fingerprint"]
