"""Where files lie: paths and URIs, object stores, and what they are opened with."""
