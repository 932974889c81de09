"""Layers shared by the networks: ResNet stages, normalisation, fusion transformer, encodings, interpolation."""
