"""The baseline: an avatar without learned weights, the clothed body textured with the photo."""
