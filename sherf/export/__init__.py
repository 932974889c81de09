"""Everything that is written for other programs: videos and frames, rigged meshes (GLB, VRM, OBJ, PLY), and motions."""
