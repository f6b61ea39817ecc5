"""The way out: every request to another machine is judged, pinned, bounded and timed here.

`policy` says which addresses may be connected to, `resolver` turns names into addresses within a deadline, `prober`
sends thousands of GETs at once (libcurl), `session` is the one `requests` session of the integrations, the catalogue's
sources, the notifications and the command line's client.
"""
