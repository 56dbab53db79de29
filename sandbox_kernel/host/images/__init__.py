"""Container images: what they carry, and how they are built."""
