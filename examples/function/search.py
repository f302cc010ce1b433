"""Two ways to find the city that somebody meant, and the queries that tell which is right."""

import csv
from collections import defaultdict
from difflib import get_close_matches
from pathlib import Path

HERE = Path(__file__).parent
CITIES = (HERE / "cities.txt").read_text("utf-8").split("\n")[:-1]


def with_difflib(folder, threads):
    def answer(queries):
        return [next(iter(get_close_matches(query, CITIES, 1, 0.1)), "") for query in queries]

    return answer


def with_trigrams(folder, threads):
    index = defaultdict(list)
    for city in CITIES:
        for trigram in trigrams(city):
            index[trigram].append(city)

    def nearest(query):
        shared = defaultdict(int)
        for trigram in trigrams(query):
            for city in index.get(trigram, ()):
                shared[city] += 1
        return max(shared, key=lambda city: shared[city] / (len(city) + len(query)), default="")

    return lambda queries: [nearest(query) for query in queries]


def trigrams(text):
    padded = f"  {text.lower()} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def queries():
    with (HERE / "queries.csv").open(newline="", encoding="utf-8") as file:
        return [(row["typed"], row["meant"]) for row in csv.DictReader(file)]
