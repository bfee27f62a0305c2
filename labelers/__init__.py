"""Text in, labels out: the self-supervised labelers and the arrays that they work on."""
