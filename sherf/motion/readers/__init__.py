"""Readers of motion files, recognised by content; everything becomes SMPL's 24 joints, y up, metres."""
