"""What typing an export costs, beside pandas' C reader on the same csv: time and memory as ratios.

100,000 invented responses of 20 questions: ten of one option, four of several, one list of
countries, five answered in words, three of them long; and two columns of contacts, read in the last
way only, in which each respondent's own are looked for. Each way is a process of its own, all in
turn within each round, medians of processor time; memory is the most that a process held beyond
what it had imported, as multiples of the file.
"""

import csv
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", "3"))
ROWS = int(os.environ.get("ROWS", "100000"))
GOALS = {"closed": 3, "everything": 15, "everything and contacts": 15}
WORDS = """
    the space for civil society is smaller than before and the report arrived too late to be read
    nous demandons que les recommandations soient suivies et que chaque partie prenante soit
    entendue las organizaciones piden un seguimiento claro de cada recomendación aceptada sin
    miedo a represalias y con recursos
"""
COUNTRIES = ("Kenya", "Uganda", "Sénégal", "Perú", "Fiji", "the Gambia", "Côte d'Ivoire", "Mexico")
FIRST = ("Amina", "Grace", "José", "María", "Fatou", "Ravi", "Olga", "Kofi", "Leila", "Joy")
LAST = ("Bado", "Keli", "Moru", "Tasa", "Wexi", "Zoné", "Diño", "Fagu", "Hako", "Jolu", "Paré")
OPTIONS = ("Strongly agree", "Agree", "Neither, nor", "Disagree", "Strongly disagree")
TOOLS = ("Index", "Letter, of the High Commissioner", "Matrix", "Webinar", "Guide", "Database")


def questionnaire(way: str) -> dict[str, object]:
    """Return what was asked; columns that a way leaves out are ignored unread."""
    survey: list[dict[str, object]] = [{"name": "id", "type": "text", "role": "respondent"}]
    survey += [{"name": f"S{n}", "type": "select_one agree"} for n in range(10)]
    survey += [{"name": f"M{n}", "type": "select_multiple tools"} for n in range(4)]
    words = [{"name": "P0", "type": "text", "role": "country"}]
    words += [{"name": f"T{n}", "type": "text"} for n in range(5)]
    contacts = [{"name": name, "type": "text", "role": "contact"} for name in ("name", "mail")]
    survey += [] if way == "closed" else words
    survey += contacts if way == "everything and contacts" else []
    ignored = {str(one["name"]) for one in (*words, *contacts)} - {str(q["name"]) for q in survey}
    for question in survey:
        question["label"] = {"en": question["name"]}
    return {
        "title": {"en": "Benchmark"},
        "about": {"en": "Invented."},
        "languages": ["en", "fr", "es"],
        "survey": survey,
        "ignored": sorted(ignored),
        "choices": {
            name: [{"name": f"o{n}", "label": {"en": text}} for n, text in enumerate(options)]
            for name, options in (("agree", OPTIONS), ("tools", TOOLS))
        },
    }


def write(path: Path, rows: int) -> None:
    """Write an invented export, the same on every machine."""
    draw = random.Random(2021)
    names = ["id", *(f"S{n}" for n in range(10)), *(f"M{n}" for n in range(4)), "P0"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, *(f"T{n}" for n in range(5)), "name", "mail"])
        for row in range(rows):
            one = [draw.choice(OPTIONS) if draw.random() < 0.9 else "" for _ in range(10)]
            several = [", ".join(draw.sample(TOOLS, draw.randint(0, 3))) for _ in range(4)]
            lands = ", ".join(draw.sample(COUNTRIES, draw.randint(0, 3)))
            words = [said(draw, n) for n in range(5)]
            name = f"{draw.choice(FIRST)} {draw.choice(LAST)}{draw.choice(LAST).lower()}"
            if draw.random() < 0.02:
                words[0] += f" says {name}"
            mail = f"{row}@example.org" if draw.random() < 0.5 else ""
            writer.writerow([row + 1, *one, *several, lands, *words, name, mail])


def said(draw: random.Random, number: int) -> str:
    """Return an answer in words: some blank, three of five some thirty words long."""
    if draw.random() < 0.3:
        return ""
    words = draw.choices(WORDS.split(), k=30 if number < 3 else 6)
    if draw.random() < 0.02:
        words.append(draw.choice(["anna@example.org", "+254 700 123 456", "https://example.org/a"]))
    return " ".join(words)


def measure(way: str, path: Path) -> None:
    """Read the file in one way and print processor seconds and bytes held."""
    import pandas as pd

    from upr_analysis.cleaning import find_places
    from upr_analysis.documents import as_model
    from upr_analysis.exports import read_export
    from upr_analysis.questionnaire import Questionnaire
    from upr_analysis.responses import type_responses

    asked = as_model(questionnaire(way), Questionnaire, "benchmark")
    small = path.with_name("small.csv")  # what is imported at first use is no reading
    for _ in range(2):
        pd.read_csv(small, engine="c")
        find_places(type_responses(read_export([small], asked), asked, 1).free_texts, asked, {})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    if way == "pandas":
        held: object = pd.read_csv(path, engine="c")
    else:
        typed = type_responses(read_export([path], asked), asked, seed=1)
        held = (typed, find_places(typed.free_texts, asked, {}))
    took = time.process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([took, 1024 * (most - before), type(held).__name__]))


def main() -> None:
    """Measure all ways in turn and print ratios."""
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, medians of {ROUNDS} rounds, "
        f"{ROWS} rows"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        write(path, ROWS)
        write(path.with_name("small.csv"), 200)
        size = path.stat().st_size
        seconds: dict[str, list[float]] = {way: [] for way in ("pandas", *GOALS)}
        memory = dict.fromkeys(seconds, 0)
        for _ in range(ROUNDS):
            for way, times in seconds.items():
                command = [sys.executable, __file__, way, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                took, held, _ = json.loads(done.stdout)
                times.append(took)
                memory[way] = max(memory[way], held)
    reader = statistics.median(seconds["pandas"])
    print(f"pandas' C reader: {reader:.2f} s for {size / 1e6:.0f} MB")
    for way, goal in GOALS.items():
        ratio = statistics.median(seconds[way]) / reader
        print(f"  {way} / reader      {ratio:5.1f}   (goal: at most {goal})")
        print(f"  memory of {way} / file {memory[way] / size:5.1f}   (goal: at most 3)")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
