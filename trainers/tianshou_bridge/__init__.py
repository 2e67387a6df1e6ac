"""Between our lanes and Tianshou: everything that handles a `Batch` and is no algorithm."""
