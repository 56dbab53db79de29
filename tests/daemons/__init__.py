"""Container daemons for the tests: real ones, our own, beside whatever else runs on this machine."""
