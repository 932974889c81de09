"""SHERF: one photo of a person in, an animatable 3D human out."""

__version__ = "0.1.0"
