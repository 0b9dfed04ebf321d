"""Where a run keeps what must outlive it: a folder here, or a prefix of a bucket."""
