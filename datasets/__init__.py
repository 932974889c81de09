"""Multi-view data sets behind one interface: an adapter per data set, and the cache of views that training reads.

OpenPeople, the procedural data set, is generated in `openpeople`; `openbody` and `motions` build the body model and the
motions that ship with the program.
"""
