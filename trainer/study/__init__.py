"""Does an auxiliary task help? Statistics of label spaces, and studies that measure it."""
