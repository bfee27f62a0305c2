"""The text front end: from documents to passages of tokens and segments."""
