"""What is read: input files and tables, their schemas, and the rows in them."""
