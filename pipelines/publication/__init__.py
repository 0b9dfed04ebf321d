"""A release as it is published: tables, plan, manifest, registry record, hashes, and their check.

What stands in the folder of a release is a function of the drawn values, of the plan file, and of a
few facts that neither has (`facts`): title, what the publisher says, time, place in the ledger.
`table_files` writes the same bytes for the same table. `datapackage` and `registry_record` describe
them from the plan as JSON (`stated`), never from the objects that drew; `disclosure` answers the 26
points of a good disclosure. So `verify` can make all of it again, from nothing but the folder.
`place` puts a folder in its place in one step, and `series_index` adds up what releases beside each
other cost together.
"""
