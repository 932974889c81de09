"""Body models in SMPL's layout: load (`files`), pose (`model`), carry points between poses (`warp`)."""
