"""Download every page, with our HTTP client and nothing else: ``URL``."""

import sys

import requests

url, size = f"{sys.argv[1]}/records", 1000
offset = 0
with requests.Session() as session:
    while True:
        page = session.get(url, params={"offset": str(offset), "limit": str(size)})
        page.raise_for_status()
        count = int(page.content[page.content.rindex(b":") + 1 : -1])
        offset += size
        if offset >= count:
            break
