"""The report of a release: one HTML page for readers, made from its published folder alone.

`published` reads the folder, `series` the releases beside it. `statements`, `parameters`, `tables`
and `against` say what they hold, in values for the templates; `bars`, `lines` and `maps` draw it.
`page` puts it together. Nothing here reads input or staging, so anybody can make the page again.
"""
