"""Batches: many photos by motions, cameras and outputs; planned as jobs, run by workers, recorded in a ledger."""
