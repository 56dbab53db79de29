"""What a batch leaves to read: JSON for programs, JUnit for those that know tests, a page for people."""
