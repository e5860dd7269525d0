"""The page of a week: what a manager asks for, from the log, as HTML that prints, Markdown, CSV or a few lines."""
