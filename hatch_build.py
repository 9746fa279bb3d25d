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
LICENSE = (
    "/*! Vega, Vega-Lite and Vega-Embed. Copyright University of Washington "
    "Interactive Data Lab and contributors. BSD-3-Clause, https://vega.github.io */\n"
)


class VegaBundle(BuildHookInterface):
    """Put the bundle beside the report's own JavaScript, in wheels and checkouts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling's
        """Write the file, and add it to the wheel, though git ignores it."""
        text = vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE)
        path = Path(self.root, BUNDLE)
        path.write_text(LICENSE + text, "utf-8")
        build_data["artifacts"].append(f"/{BUNDLE}")
