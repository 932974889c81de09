"""Photos to try things with, installed as sherf.examples; README.md says where they come from."""
