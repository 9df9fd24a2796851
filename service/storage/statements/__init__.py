"""Statement functions that both engines run. They are in SQLite's SQL; postgres/dialect.py translates it.

None begins or ends a transaction. What has to differ is in the engines, which import these and never the other way.
"""
