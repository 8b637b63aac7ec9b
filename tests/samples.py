"""What `/metrics` says, as a Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families


class Samples(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Each sample of a page by its name and labels."""

    def __init__(self, page: str) -> None:
        families = list(text_string_to_metric_families(page))
        #: Each metric with its type and the names of its labels.
        self.families = {
            family.name + ("_total" if family.type == "counter" else ""): (
                family.type,
                {name for sample in family.samples for name in sample.labels if name != "le"},
            )
            for family in families
        }
        super().__init__(
            ((sample.name, frozenset(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
        )

    def of(self, name: str, **labels: str) -> float:
        """One sample; one that is not there counts as zero."""
        return self.get((name, frozenset(labels.items())), 0.0)
