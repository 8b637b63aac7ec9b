"""Diagnosis of the database and the connection to it, by trying them, with advice for each problem."""

from nexus.doctor.examination import examine
from nexus.doctor.finding import Finding

__all__ = ["Finding", "examine"]
