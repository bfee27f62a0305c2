"""Labels that people made, from records to plan."""
