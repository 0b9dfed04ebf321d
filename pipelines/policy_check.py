"""What can be said of a config and its policy without the ledger."""

from __future__ import annotations

from pipelines.ledger import Policy, load_policy
from pipelines.spec import ConfigError, LoadedRelease
from pipelines.spec.errors import did_you_mean


def release_policy(release: LoadedRelease) -> Policy | None:
    """Loads the policy file that a config names; None where it names none.

    Raises:
        ConfigError: It cannot be read, which is a problem of the config, or it is no policy, which
            is one of the policy file.
    """
    if release.policy is None:
        return None
    try:
        return load_policy(release.policy)
    except ConfigError as error:
        unread = [str(problem) for problem in error.problems if problem.line is None]
        if not unread:
            raise
        raise release.refusal(("policy",), "; ".join(unread)) from None


def check_policy(release: LoadedRelease) -> None:
    """Checks that the policy file of a config can be read, and that it has its dataset.

    Raises:
        ConfigError: It cannot, or it has not.
    """
    policy = release_policy(release)
    if policy is None:
        return
    datasets = policy.datasets
    dataset = release.spec.dataset
    if dataset not in datasets:
        key = "dataset" if "dataset" in release.spec.model_fields_set else "policy"
        message = (
            f"the dataset {dataset!r} is not in the policy; allowed: {', '.join(datasets)}"
            f"{did_you_mean(dataset, datasets)}"
        )
        raise release.refusal((key,), message)
