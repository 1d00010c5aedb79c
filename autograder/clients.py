"""nbclient's client for running a notebook, without the message that lets it wait for ever."""

from __future__ import annotations

from typing import Any

from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget


class SilentOutput(OutputWidget):
    """A widget's outputs, of which the kernel is not told.

    nbclient would tell it beside its own waiting for the kernel's answer, which then gets lost now
    and again, and the waiting never ends.
    """

    def sync_state(self) -> None:
        """Do nothing."""


class SteadyClient(NotebookClient):
    """A NotebookClient that does not wait for ever at a cell with widgets."""

    def on_comm_open_jupyter_widget(self, msg: dict) -> Any:
        """Handle a new widget; one for outputs is a silent one."""
        self.widget_registry["@jupyter-widgets/output"]["OutputModel"] = SilentOutput
        return super().on_comm_open_jupyter_widget(msg)
