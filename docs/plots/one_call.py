"""Draw the way of one call through the modules.

    python docs/plots/one_call.py

writes docs/explanation/one-call.svg. `tests/docs/test_plots.py` traces a real call and compares.
"""

from pathlib import Path

from drawing import BLUE, GREY, INK, PALE, Drawing

TARGET = Path(__file__).parents[1] / "explanation" / "one-call.svg"

YOU, SERVER = "your code", "the API"
COLUMNS = [
    YOU,
    "_client",
    "_paging",
    "_pipeline",
    "limits",
    "_gate",
    "_sender",
    SERVER,
    "_structure",
]
# Who, whom, and what for. The second of each is entered in this order.
STEPS = [
    (YOU, "_client", "iter_workflow_sessions(id)"),
    ("_client", YOU, "an iterator, at once"),
    (YOU, "_paging", "next record"),
    ("_paging", "_pipeline", "fetch a page"),
    ("_pipeline", "limits", "a permit, in its turn"),
    ("_pipeline", "_gate", "a connection"),
    ("_pipeline", "_sender", "one attempt"),
    ("_sender", SERVER, "GET, the key added"),
    (SERVER, "_sender", "status, body"),
    ("_sender", "limits", "answered: its token may come back"),
    ("_sender", "_pipeline", "success, or a verdict: again?"),
    ("_pipeline", "_structure", "bytes to records"),
    ("_pipeline", "_paging", "one page"),
    ("_paging", YOU, "one record"),
]
WIDTH, TOP, STEP, GAP = 940, 58, 34, 104


def main() -> None:
    """Draw it and write the file."""
    height = TOP + STEP * len(STEPS) + 20
    drawing = Drawing(WIDTH, height, "The way of one call through the modules")
    places = {name: 54 + GAP * number for number, name in enumerate(COLUMNS)}
    for name, x in places.items():
        outside = name in (YOU, SERVER)
        drawing.text(x, 30, name, anchor="middle", bold=True, colour=BLUE if outside else INK)
        drawing.line((x, 42), (x, height - 14), colour=PALE, width=1)
    for number, (who, whom, what) in enumerate(STEPS):
        y = TOP + STEP * number + 18
        start, end = places[who], places[whom]
        back = COLUMNS.index(whom) < COLUMNS.index(who)
        drawing.arrow(y, start, end, colour=GREY if back else BLUE)
        drawing.text(min(start, end) + 8, y - 6, what, size=12)
    drawing.save(TARGET)


def entered() -> list[str]:
    """Give the modules in the order in which the drawn call enters them for the first time."""
    names = [whom for _, whom, _ in STEPS if whom not in (YOU, SERVER)]
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    main()
