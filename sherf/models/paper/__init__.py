"""SHERF as published (Hu et al., ICCV 2023): tri-planes, point volume, pixel-aligned features and NeRF decoder."""
