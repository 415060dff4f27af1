"""Files over HTTP: roots, safe opening, and answers with ranges and conditions."""
