"""How long a graph takes on the phone, and what that means for a stream of frames."""
