"""A run of a release: periods, folders, the ledger, drawing, staging and publication."""
