"""Pure functions on arrays with leading lanes; one family of equations a file."""
