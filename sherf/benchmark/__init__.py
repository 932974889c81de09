"""The tables of the paper: metrics, protocols, runs, reports."""
