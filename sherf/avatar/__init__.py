"""Photo → avatar → frame: reconstruction, the avatar's file, its renderer, and its provenance."""
