"""The feature bank's makers: image encoders, global planes, point volume, and the look-ups into them."""
