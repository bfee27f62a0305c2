"""A trained model as a teacher: its labels for rows of a dataset, and the rows that it was trained on."""
