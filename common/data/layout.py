"""What can be seen of a data folder before torch is imported, which takes seconds."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Laid(Protocol):
    """Settings of data that may be a folder in a known layout."""

    def check_layout(self) -> None:
        """Refuses a folder without a known layout, by its folders and files alone; no torch.

        Raises:
            UserError: names the folder and the layouts.
        """
        ...


def check_layout(settings: Any) -> None:
    """Refuses the data folder of a run's settings, where they have one, if it has no known layout.

    Raises:
        UserError: names the folder and the layouts.
    """
    data = getattr(settings, "data", None)
    if isinstance(data, Laid):
        data.check_layout()
