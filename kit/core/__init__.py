"""Code that does not depend on competitions: settings, errors, files, threads, processes."""
