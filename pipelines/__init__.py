"""A release as a program: config, plan, run, publication, command line."""
