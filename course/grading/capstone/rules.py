"""What a capstone is called and worth, and how many pictures it is shown."""

from __future__ import annotations

EXERCISE, NOTEBOOK, TITLE = "11-capstone", "capstone", "Capstone: hidden pictures"
POINTS = {"loads": 4, "card": 4, "guessing": 3, "baseline": 4, "style": 2, "damaged": 3}
DRAWN, DAMAGED = 160, 80  # pictures that a hand-in is shown, and again as many of them damaged
ISOLATION = "data"
