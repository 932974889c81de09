"""Benchmarks: metrics, the published evaluation protocols, running a model over a data set, and the reports."""
