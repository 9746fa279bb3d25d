"""Write the JavaScript of the report's charts, when the package is built.

It is Vega, Vega-Lite and Vega-Embed, as the package vl-convert-python has them: that
is a locked package, so nothing is fetched when the report is written or read, and only
who builds Callhouse needs its 85 MB.
"""

from pathlib import Path
from typing import Any

import vl_convert
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "pipelines/report/vega.js"
SNIPPET = "window.vegaEmbed = vegaEmbed;"
VEGA_LITE = "6.4"
HEADER = (
    "/*! Vega, Vega-Lite and Vega-Embed. Copyright University of Washington "
    "Interactive Data Lab and contributors. BSD-3-Clause, https://vega.github.io. "
    f"From vl-convert-python {vl_convert.__version__}, Vega-Lite {VEGA_LITE}. */\n"
)


class VegaBundle(BuildHookInterface):
    """Put the bundle beside the report's own JavaScript, in wheels and checkouts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling's
        """Write the file unless it is there, and add it to the wheel.

        Git ignores it, and so would the wheel.
        """
        path = Path(self.root, BUNDLE)
        build_data["artifacts"].append(f"/{BUNDLE}")
        if path.exists() and path.read_text("utf-8").startswith(HEADER):
            return
        text = vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE)
        incoming = path.with_suffix(".js.incoming")
        incoming.write_text(HEADER + text, "utf-8")
        incoming.replace(path)
