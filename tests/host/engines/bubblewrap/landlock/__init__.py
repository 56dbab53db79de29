"""Tests of the second wall."""
