"""What can be wrong with a database and the way to it, found by trying, and what to do about each."""

from nexus.doctor.examination import examine
from nexus.doctor.finding import Finding

__all__ = ["Finding", "examine"]
