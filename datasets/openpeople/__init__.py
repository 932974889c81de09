"""OpenPeople: procedural dressed people, free of restrictions, from every side. `sherf generate openpeople`."""
