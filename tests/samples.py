"""The page of `/metrics`, parsed as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families


class Samples(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """The samples of a page by name and labels."""

    def __init__(self, page: str) -> None:
        families = list(text_string_to_metric_families(page))
        #: The type and label names of each metric.
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
        """Return the value of a sample, or zero if it is missing."""
        return self.get((name, frozenset(labels.items())), 0.0)
