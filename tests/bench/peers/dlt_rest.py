"""dlt as its first page shows it: ``URL [parquet]``.

A REST client, child tables for what is nested, and dlt's own file format, which is
statements with all values in them, or Parquet.
"""

import sys

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

url, *file_format = sys.argv[1:]
client = RESTClient(
    url,
    data_selector="items",
    paginator=OffsetPaginator(limit=1000, total_path="count"),
)
pipeline = dlt.pipeline(
    "bench",
    pipelines_dir="work",
    destination=dlt.destinations.duckdb("dlt.duckdb"),
    dataset_name="raw",
)
pipeline.run(
    dlt.resource(client.paginate("records"), name="calls"),
    loader_file_format=file_format[0] if file_format else None,
)
