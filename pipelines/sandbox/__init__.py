"""The five vendors on loopback, with their clock, their faults and their truth.

Run as a process: `python -m pipelines.sandbox`. It imports nothing else of this
package, so that a client is checked against the vendors' documents and not against
the client's own reading of them.
"""
