"""Looks for what usually keeps a release from running, before it is run.

`doctor.examine` has all the checks. Each ends in seconds, needs no network but to the places that
the user names, and comes to one line that says how to mend what is wrong.
"""
