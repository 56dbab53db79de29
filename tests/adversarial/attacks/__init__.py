"""The attacks, a module for each promise. They go inside as text: standard library only."""
