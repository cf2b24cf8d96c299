"""Image files: which files of a folder are pictures, their order, and their pixels."""
