"""Data sets: one adapter each, and the procedural people."""
