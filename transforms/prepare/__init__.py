"""Row-wise preparation of the input: filters and derived columns as SQL expressions."""
