"""What can be said of a config and its policy without the ledger."""

from __future__ import annotations

from pipelines.ledger import load_policy
from pipelines.spec import LoadedRelease
from pipelines.spec.errors import did_you_mean


def check_policy(release: LoadedRelease) -> None:
    """Checks that the policy file of a config can be read, and that it has its dataset.

    Raises:
        ConfigError: It cannot, or it has not.
    """
    if release.policy is None:
        return
    datasets = load_policy(release.policy).datasets
    dataset = release.spec.dataset
    if dataset not in datasets:
        key = "dataset" if "dataset" in release.spec.model_fields_set else "policy"
        message = (
            f"the dataset {dataset!r} is not in the policy; allowed: {', '.join(datasets)}"
            f"{did_you_mean(dataset, datasets)}"
        )
        raise release.refusal((key,), message)
