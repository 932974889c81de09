"""sherf-small: UV feature maps and photo samples on the body's surface, with a density anchored to that surface."""
