"""Which contribution bounds, clips and shares a table should have.

`grid` says what is tried, `planned` what noise that would bring. `loss` counts what bounds take
away from each partition, for a whole grid in one pass over the contributions of units, and `errors`
puts both together. `histograms` finds noisy histograms of contributions instead, where the data are
private and the tuning is paid for, and `population` makes of them what `errors` takes. `best` finds
the best bounds. `stages` is what workers do, `ptransform` wires it.
"""
