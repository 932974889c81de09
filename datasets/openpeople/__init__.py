"""OpenPeople, the procedural data set: `sherf generate openpeople`.

This folder builds random dressed people (body shape, face, hair, garments, fabrics, accessories), poses them, renders
them from all sides with exact cameras, masks, depths and body parameters, and writes the data set. Everything is
computed from a seed; no photograph, scan or personal data is used. `generate` is the entry point, `person` decides who
a seed's person is, `stage` renders, and `store` defines the files.
"""
