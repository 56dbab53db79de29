"""Tests of what doctor says about the machine."""
