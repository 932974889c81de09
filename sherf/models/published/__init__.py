"""Import of the published training snapshot, without executing any code from it."""
