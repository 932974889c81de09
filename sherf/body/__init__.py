"""Body models in SMPL's layout: the open body and its skeleton, reading model files, posing by linear blend skinning.

`files` loads a model, `body_model` poses it, `vertex_warp` maps points between two of its poses.
"""
