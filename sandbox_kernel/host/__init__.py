"""Outside the wall: what enforces the policy, carries the channels and explains the ends."""
