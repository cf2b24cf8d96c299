"""Pictures: masks on frames, contact sheets, films, charts."""
