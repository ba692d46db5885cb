"""Moving the store to another directory: decision 0024."""
