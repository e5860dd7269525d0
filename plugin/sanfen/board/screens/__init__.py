"""The screens of the board: each module asks the log for one of them, the templates beside them show it."""
