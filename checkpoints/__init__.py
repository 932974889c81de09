"""Weights that ship, each with its licence and hash."""
