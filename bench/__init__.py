"""Side-by-side benchmarks against Postfix and Dovecot."""
