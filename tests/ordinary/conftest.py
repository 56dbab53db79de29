"""Nothing here is for ordinary users: their run of the whole suite is the test."""

import os

collect_ignore = ["test_as_ordinary_user.py"] if os.geteuid() != 0 else []
