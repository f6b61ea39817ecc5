"""The restore drill: a backup is restored into a scratch place, verified, measured, and the place removed again.

`report` is the format of what came out, whoever ran the drill. The other modules run one: `spec` says which, `restore`
does it. Nothing here judges a service; a report becomes evidence in the probe that reads it.
"""
