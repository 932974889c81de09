"""Models: photo → feature bank → radiance field. Each model has its own folder behind the protocols of `protocol.py`.

`paper/` is SHERF as published, `surface/` is sherf-small, and `template/` has no learned weights. `published/` imports
the published weights, and `layers/` holds the layers that several networks share.
"""
