"""The report of a run: one HTML file made from the run folder's files, and a text table that compares runs."""

from common.run.report.compare import compare
from common.run.report.write import write_report

__all__ = ["compare", "write_report"]
