"""Authoring of the motions that ship: feet and pelvis by plan, legs by inverse kinematics, the rest by curves."""
