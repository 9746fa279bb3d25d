"""A Singer tap for any REST API, into the target for DuckDB: ``URL``."""

import json
import subprocess
import sys
from pathlib import Path

TAP = {
    "api_url": sys.argv[1],
    "pagination_request_style": "simple_offset_paginator",
    "pagination_response_style": "offset",
    "pagination_page_size": 1000,
    "pagination_initial_offset": 0,
    "offset_records_jsonpath": "$.items",  # else it stops after a page, silently
    "streams": [
        {
            "name": "calls",
            "path": "/records",
            "records_path": "$.items[*]",
            "num_inference_records": 1000,
        }
    ],
}
TARGET = {
    "path": "singer.duckdb",
    "default_target_schema": "raw",
    "primary_key_required": False,
}


def _program(name: str, config: dict[str, object]) -> list[str]:
    Path(f"{name}.json").write_text(json.dumps(config))
    program = Path(sys.executable).with_name(name)
    return [str(program), "--config", f"{name}.json"]


with subprocess.Popen(
    _program("tap-rest-api-msdk", TAP), stdout=subprocess.PIPE
) as tap:
    subprocess.run(_program("target-duckdb", TARGET), stdin=tap.stdout, check=True)
sys.exit(tap.returncode)
