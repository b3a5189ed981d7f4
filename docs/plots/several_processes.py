"""Draw how three processes take turns with leases.

    python docs/plots/several_processes.py

writes docs/howto/several-processes.svg. At 25/s a lease has three tokens, of 40 ms each.
"""

from pathlib import Path

from drawing import BLUE, GREEN, GREY, INK, MUTED, PALE, Drawing

TARGET = Path(__file__).parents[1] / "howto" / "several-processes.svg"

TOKEN, LEASE, AHEAD = 40, 3, 60  # ms, tokens, ms
ASKS_AT = 290  # ms; when the light process has its one call
END = 1000  # ms
LEFT, SCALE = 190, 0.66  # pixels, pixels/ms
TOKENS, BUSY, LIGHT = (
    "tokens that come back",
    ("A, many callers", "B, many callers"),
    "C, one caller",
)
ROWS = {TOKENS: 58, BUSY[0]: 104, BUSY[1]: 150, LIGHT: 196}


def turns() -> list[tuple[str, int, int]]:
    """Give who has which tokens: name, the first one's time in ms, how many."""
    leases: list[tuple[str, int, int]] = []
    waiting, time = list(BUSY), 0
    while time < END:
        # Who has waited longest comes first.
        if time - AHEAD > ASKS_AT and LIGHT not in [name for name, _, _ in leases]:
            leases.append((LIGHT, time, 1))
        else:
            leases.append((waiting[0], time, min(LEASE, (END - time) // TOKEN)))
            waiting.append(waiting.pop(0))
        time += TOKEN * leases[-1][2]
    return leases


def place(time: float) -> float:
    """Give the x of an instant."""
    return LEFT + SCALE * time


def main() -> None:
    """Draw it and write the file."""
    drawing = Drawing(880, 272, "Three processes take turns with leases of a few tokens")
    for name, y in ROWS.items():
        drawing.text(20, y + 4, name, bold=name != TOKENS)
        drawing.line((place(0), y), (place(END), y), colour=PALE)
    top = ROWS[TOKENS]
    for time in range(0, END, TOKEN):
        drawing.line((place(time), top - 7), (place(time), top + 7), colour=GREY)
    for name, first, tokens in turns():
        colour = GREEN if name == LIGHT else BLUE
        y, x = ROWS[name], place(first)
        drawing.line((x, top + 10), (x, y - 14), colour=PALE, width=1)
        drawing.bar(x - 5, y, SCALE * TOKEN * (tokens - 1) + 10, colour=PALE, height=26)
        for number in range(tokens):
            drawing.bar(place(first + number * TOKEN) - 3, y, 6, colour=colour, height=14)
    y = ROWS[LIGHT]
    drawing.cross(place(ASKS_AT), y, colour=INK)
    drawing.text(place(ASKS_AT) - 8, y + 24, "asks", colour=INK, anchor="end")
    begins = next(first for name, first, _ in turns() if name == LIGHT)
    drawing.text(place(begins) + 14, y + 4, f"its turn, {begins - ASKS_AT} ms later", colour=GREEN)
    for time in range(0, END + 1, 200):
        drawing.text(place(time), 250, f"{time} ms", size=12, anchor="middle", colour=MUTED)
    drawing.text(20, 26, "25 requests/s, three processes", size=14, colour=INK, bold=True)
    drawing.save(TARGET)


if __name__ == "__main__":
    main()
