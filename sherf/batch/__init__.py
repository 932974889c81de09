"""Photos by motions, cameras and outputs: planned, done by many workers, kept in a ledger, shown on a page."""
