"""Takes the noise away from all metrics, as nothing but a test can."""

METRICS_WITH_NOISE = ("base", "counts", "quantiles")


def without_noise(patch):
    """Has metrics release what they would add noise to."""
    for module in METRICS_WITH_NOISE:
        patch.setattr(f"transforms.metrics.{module}.add_noise", lambda values, mechanism: values)
