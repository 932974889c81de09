"""Authoring of the built-in motions, without recorded data.

Each motion is a plan: curves over time for feet, pelvis, spine and arms, from which leg joints follow by inverse
kinematics on the open body. `python -m sherf.datasets.motions` writes all of them again.
"""
