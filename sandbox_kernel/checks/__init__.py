"""Grading: what a submission has to do, and whether it did.

Two trust domains. The submission runs in a sandbox of its own, which holds neither checks nor expected
answers. What it did comes out as capped text and JSON, and is judged here, as plain data.
"""
