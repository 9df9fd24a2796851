"""The engine over PostgreSQL, for one service or several over one database. Needs psycopg, the extra [postgres]."""
