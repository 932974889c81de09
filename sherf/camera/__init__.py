"""Cameras: rotations, pinhole projection and rays, camera paths, framing, camera files, and sampling of images."""
