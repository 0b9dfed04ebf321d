"""Takes the noise away from all metrics, as nothing but a test can."""

METRICS_WITH_NOISE = ("base", "counts", "quantiles")


def without_noise(patch):
    """Has metrics release what they would add noise to."""
    for module in METRICS_WITH_NOISE:
        patch.setattr(f"transforms.metrics.{module}.add_noise", lambda values, mechanism: values)


def select_from(patch, least):
    """Has selection release all partitions of so many privacy units, and their exact numbers."""
    patch.setattr("transforms.draw.select", lambda units, mechanism: units >= least)
    patch.setattr(
        "transforms.draw.select_and_count", lambda units, mechanism: (units >= least, units)
    )
