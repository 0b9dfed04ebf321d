"""Gates: what has to be there before a release is made, and before it is published.

A release passes three times: before its input is looked at (`period_gates`), before it is charged
(`input_gates`, by names and sizes of files, before any of them is opened), and before it is
published (`partition_gates`, by what readers would see). `release_gates` says what then happens.

None of them looks at a row. What they decide on shows in whether and when there is a release; that
is no part of the guarantee and is stated in the manifest as a side channel.
"""
