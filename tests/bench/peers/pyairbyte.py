"""PyAirbyte with an inline manifest, into a cache that is DuckDB: ``URL``."""

import sys

import airbyte
import requests
from airbyte.caches import DuckDBCache

JSON_TYPES = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
}

url = sys.argv[1]
first = requests.get(f"{url}/records", params={"limit": "1000"}, timeout=60).json()
properties: dict[str, dict[str, list[str]]] = {}
for record in first["items"]:
    for name, value in record.items():
        kinds = properties.setdefault(name, {"type": ["null"]})["type"]
        kind = JSON_TYPES.get(type(value), "array")
        if value is not None and kind not in kinds:
            kinds.append(kind)
manifest = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["calls"]},
    "streams": [
        {
            "type": "DeclarativeStream",
            "name": "calls",
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {
                    "type": "HttpRequester",
                    "url_base": url,
                    "path": "/records",
                    "http_method": "GET",
                },
                "record_selector": {
                    "type": "RecordSelector",
                    "extractor": {"type": "DpathExtractor", "field_path": ["items"]},
                },
                "paginator": {
                    "type": "DefaultPaginator",
                    "page_token_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "offset",
                    },
                    "page_size_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "limit",
                    },
                    "pagination_strategy": {
                        "type": "OffsetIncrement",
                        "page_size": 1000,
                        "inject_on_first_request": True,
                    },
                },
            },
            "schema_loader": {
                "type": "InlineSchemaLoader",
                "schema": {"type": "object", "properties": properties},
            },
        }
    ],
    "spec": {
        "type": "Spec",
        "connection_specification": {"type": "object", "properties": {}},
    },
}
cache = DuckDBCache(db_path="airbyte.duckdb")
source = airbyte.get_source("source-bench", source_manifest=manifest, config={})
source.select_all_streams()
source.read(cache=cache)
