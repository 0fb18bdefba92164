"""Querysets, and what is asked of them."""

from __future__ import annotations

from tests.differential.cases import Case
from tests.differential.conditions import arguments, condition
from tests.differential.expressions import Expressions
from tests.differential.schema import path

NEWEST = (
    ["Book"] * 6
    + ["Author"] * 4
    + ["EBook", "EBook", "Novel", "Review", "Review", "Reading", "Tag", "Profile", "Country"]
)
HAVING = ["k__gt=1", "k__isnull=True", "k=F('pk')", "Q(k=0) | Q(k__gt=2)", "k__lte=2", "k__in=[1, 2]"]


class Querysets:
    """Draws cases that read."""

    def __init__(self, draw, schema):
        self.draw, self.schema = draw, schema

    def case(self):
        forms = (
            [self.rows] * 5
            + [self.expressed] * 5
            + [self.named] * 3
            + [self.grouped] * 4
            + [self.aggregated] * 2
        )
        forms += (
            [self.windowed] * 2
            + [self.united] * 2
            + [self.prefetched] * 2
            + [self.loaded] * 2
            + [self.ended] * 3
            + [self.dates]
        )
        return self.draw.choice(forms)()

    def model(self):
        return self.draw.choice(NEWEST)

    def narrowed(self, model, most=2):
        """Draw `Model.objects` with a few filters."""
        calls = [
            f".{self.draw.choice(['filter', 'filter', 'exclude'])}({arguments(self.draw, self.schema, model)})"
            for _ in range(self.draw.randint(0, most))
        ]
        return f"{model}.objects{''.join(calls) or '.all()'}"

    def order(self, model, extra=()):
        """Draw an order_by() that leaves no ties, where there is one row for each instance."""
        names = []
        for _ in range(self.draw.randint(0, 2)):
            name, _, many = path(self.draw, self.schema, model, to_many=False, hops=0.25)
            if not many:
                names.append(
                    self.draw.choice(
                        ["'{}'", "'-{}'", "F('{}').asc(nulls_last=True)", "F('{}').desc(nulls_first=True)"]
                    ).format(name)
                )
        if extra and self.draw.random() < 0.5:
            names.append(f"'{self.draw.choice(['', '-'])}{self.draw.choice(extra)}'")
        if self.draw.random() < 0.15:
            names.append(Expressions(self.draw, self.schema, model).of(self.draw.choice(["int", "text"]), 1))
        names.append(self.draw.choice(["'pk'", "'-pk'"]))
        return f".order_by({', '.join(names)})"

    def part(self):
        """Draw a slice, or none."""
        return self.draw.choice(["", "", "", "[:3]", "[1:4]", "[2:]", "[:0]"])

    def rows(self):
        model = self.model()
        queryset = self.narrowed(model, 3)
        if self.draw.random() < 0.2:
            return Case(f"{queryset}.distinct()")
        if self.draw.random() < 0.5:
            return Case(f"{queryset}")
        once = ".distinct()" if self.draw.random() < 0.1 else ""
        # Rows that a join repeats are ties, but equal ones.
        return Case(
            f"{queryset}{once}{self.order(model)}{self.draw.choice(['', '', '.reverse()'])}{self.part()}",
            ordered=True,
        )

    def expressed(self):
        """Annotate, filter by the annotation or order by it; or filter by an expression."""
        model = self.model()
        expressions = Expressions(self.draw, self.schema, model, to_many=self.draw.random() < 0.15)
        source, kind = expressions.any(self.draw.randint(1, 3))
        verb = self.draw.choice(["annotate", "annotate", "annotate", "alias"])
        queryset = f"{self.narrowed(model, 1)}.{verb}(e={source})"
        if kind == "bool" and self.draw.random() < 0.3:
            return Case(f"{model}.objects.filter({source})")
        form = self.draw.random()
        if form < 0.25:
            queryset += f".filter(e{self.comparison(kind, expressions)})"
        elif form < 0.4:
            queryset += f".exclude(e{self.comparison(kind, expressions)})"
        elif form < 0.5 and kind not in ("json", "bool"):
            return Case(f"{queryset}.order_by('e', 'pk'){self.part()}", ordered=True)
        if verb == "annotate" and self.draw.random() < 0.3:
            return Case.asked(
                queryset,
                self.draw.choice(
                    [
                        ".values('pk', 'e')",
                        ".values_list('e', flat=True)",
                        ".values_list('e').distinct()",
                        ".count()",
                    ]
                ),
            )
        return Case(queryset)

    def comparison(self, kind, expressions):
        if kind == "json" or self.draw.random() < 0.25:
            return f"__isnull={self.draw.choice(['True', 'False'])}"
        return f"{self.draw.choice(['', '__gt', '__lte'] if kind != 'bool' else [''])}={self.draw.choice([expressions.typed(kind), expressions.leaf(kind)])}"

    def named(self):
        """values() and values_list() with names over relations, expressions, flat and named."""
        model = self.model()
        names = [f"'{path(self.draw, self.schema, model)[0]}'" for _ in range(self.draw.randint(1, 3))]
        if self.draw.random() < 0.25:
            names.append(Expressions(self.draw, self.schema, model).of("text", 1))
        call = self.draw.choice(
            ["values({})", "values_list({})", "values_list({}, named=True)", "values_list({}, flat=True)"]
        )
        if "flat" in call:
            names = names[:1]
        named = [f"x={n}" if "(" in n and call.startswith("values(") else n for n in names]
        queryset = f"{self.narrowed(model, 1)}.{call.format(', '.join(named))}"
        if self.draw.random() < 0.3:
            return Case(f"{queryset}.distinct()")
        ordered = self.draw.random() < 0.4
        return Case(
            queryset + (self.draw.choice([".order_by('pk')", f".order_by({names[0]})"]) if ordered else "")
        )

    def aggregate(self, model, name="k"):
        """Draw an aggregate over a model."""
        draw = self.draw
        kinds = {"Count": None, "Sum": ("int", "decimal", "float", "duration"), "Avg": ("int", "decimal", "float", "duration"),
                 "Min": ("int", "decimal", "date", "datetime", "text", "time"), "Max": ("int", "decimal", "date", "datetime", "text", "float"),
                 "StdDev": ("int", "float"), "Variance": ("int", "float")}  # fmt: skip
        function = draw.choice(["Count", "Count", "Sum", "Sum", "Avg", "Min", "Max", "StdDev", "Variance"])
        column, kind, _ = path(draw, self.schema, model, kinds=kinds[function], hops=0.5)
        inner = f"'{column}'"
        if function == "Count" and draw.random() < 0.25:
            inner = draw.choice(["'*'", f"'{draw.choice(list(self.schema[model].relations))}'"])
        elif kind in ("int", "text", "decimal", "float") and draw.random() < 0.25:
            inner = Expressions(draw, self.schema, model, to_many=True).of(kind, 1)
        options = []
        if draw.random() < 0.25:
            options.append(f"filter={condition(draw, self.schema, model, 1)}")
        if function in ("Count", "Sum", "Avg") and draw.random() < 0.2 and inner != "'*'":
            options.append("distinct=True")
        if function != "Count" and kind in ("int", "float", "decimal") and draw.random() < 0.2:
            options.append(f"default={draw.choice(['0', '7', 'Value(1)'])}")
        return f"m.{function}({', '.join([inner, *options])})"

    def grouped(self):
        model = self.model()
        queryset = self.narrowed(model, 1)
        names = [
            path(self.draw, self.schema, model, to_many=False)[0] for _ in range(self.draw.randint(0, 2))
        ]
        names = [n for n in names if "data" not in n]
        if names and self.draw.random() < 0.7:
            queryset += f".{self.draw.choice(['values', 'values_list'])}({', '.join(map(repr, names))})"
        if self.draw.random() < 0.15:
            queryset = f"{self.narrowed(model, 1)}.annotate(g={Expressions(self.draw, self.schema, model).of(self.draw.choice(['int', 'text', 'date']), 1)}).values('g')"
        queryset += f".annotate(k={self.aggregate(model)}{f', l={self.aggregate(model)}' if self.draw.random() < 0.3 else ''})"
        form = self.draw.random()
        if form < 0.35:
            queryset += f".{self.draw.choice(['filter', 'exclude'])}({self.draw.choice(HAVING)})"
        elif form < 0.5:
            queryset += f".filter({arguments(self.draw, self.schema, model)})"
        elif form < 0.6:
            queryset += self.draw.choice([".order_by('k')", ".order_by('-k', 'pk')", ".order_by()"])
        elif form < 0.7:
            other = self.draw.choice(["1", "F('k')"])
            queryset += f".annotate(x=F('k') + {other})"
        return Case.asked(
            queryset,
            self.draw.choice(
                ["", "", "", "", ".count()", ".exists()", ".aggregate(s=m.Sum('k'))", ".distinct()"]
            ),
        )

    def aggregated(self):
        model = self.model()
        before = (
            f".annotate(e={Expressions(self.draw, self.schema, model).of('int', 1)})"
            if self.draw.random() < 0.2
            else ""
        )
        part = f"{self.order(model)}{self.part()}" if self.draw.random() < 0.15 else ""
        distinct = ".distinct()" if self.draw.random() < 0.1 else ""
        second = f", l={self.aggregate(model)}" if self.draw.random() < 0.4 else ""
        return Case(
            f"{self.narrowed(model)}{distinct}{before}{part}", f"aggregate(k={self.aggregate(model)}{second})"
        )

    def windowed(self):
        model = self.model()
        column = path(self.draw, self.schema, model, kinds=("int", "key"), to_many=False)[0]
        function = self.draw.choice([
            "fn.RowNumber()", "fn.Rank()", "fn.DenseRank()", "fn.PercentRank()", "fn.CumeDist()", f"fn.Lag('{column}')", f"fn.Lead('{column}', offset=2)",
            f"fn.FirstValue('{column}')", f"fn.LastValue('{column}')", "fn.Ntile(num_buckets=3)", f"fn.NthValue('{column}', nth=2)",
            f"m.Sum('{column}')", f"m.Avg('{column}')", "m.Count('*')", f"m.Max('{column}')",
        ])  # fmt: skip
        order = self.draw.choice(["'pk'", "'-pk'", "[F('pk').desc()]", "['pk']"])
        parts = [f"order_by={order}"]
        if self.draw.random() < 0.5:
            parts.append(
                self.draw.choice(["partition_by=F('{}')", "partition_by=[F('{}')]"]).format(
                    path(self.draw, self.schema, model, kinds=("int", "key", "text", "bool"), to_many=False)[
                        0
                    ]
                )
            )
        if function.startswith("m.") and self.draw.random() < 0.4:
            parts.append(
                self.draw.choice(
                    [
                        "frame=m.RowRange(start=-1, end=0)",
                        "frame=m.RowRange(end=0)",
                        "frame=m.ValueRange(start=None, end=0)",
                    ]
                )
            )
        queryset = f"{self.narrowed(model, 1)}.annotate(w=m.Window({', '.join([function, *parts])}))"
        after = self.draw.choice(
            [
                "",
                "",
                ".filter(w__gt=1)",
                ".filter(w=2)",
                ".exclude(w__lte=2)",
                ".order_by('w', 'pk')",
                ".values('pk', 'w')",
                ".values_list('w', flat=True)",
                ".count()",
                ".filter(w__gt=1).values_list('pk')",
            ]
        )
        return Case.asked(queryset, after)

    def united(self):
        """Combine querysets of one or of two models."""
        model = self.model()
        form = self.draw.random()
        verb = self.draw.choice(["union", "union", "intersection", "difference"])
        every = ", all=True" if verb == "union" and self.draw.random() < 0.3 else ""
        if form < 0.4:
            first, second = self.narrowed(model, 1), self.narrowed(model, 1)
            after = self.draw.choice(
                [
                    "",
                    "",
                    ".order_by('pk')",
                    ".order_by('-pk')[:3]",
                    ".count()",
                    ".exists()",
                    ".values('pk')",
                    ".values_list('pk', flat=True)",
                    ".order_by('pk').first()",
                ]
            )
        elif form < 0.8:
            names = ", ".join(
                sorted(
                    {
                        repr(
                            self.draw.choice(
                                [n for n, k in self.schema[model].columns.items() if k != "json"]
                            )
                        )
                        for _ in range(2)
                    }
                )
            )
            call = self.draw.choice([".values_list({})", ".values({})"]).format(names)
            first, second = self.narrowed(model, 1) + call, self.narrowed(model, 1) + call
            after = self.draw.choice(
                ["", "", f".order_by({names.split(',', 1)[0]})", ".count()", ".distinct()"]
            )
        else:
            other = self.model()
            first, second = (
                f"{self.narrowed(model, 1)}.values_list('pk')",
                f"{self.narrowed(other, 1)}.values_list('pk')",
            )
            after = self.draw.choice(["", ".count()", ".exists()"])
        if self.draw.random() < 0.3:
            return Case(f"({self.narrowed(model, 1)} {self.draw.choice('&|^')} {self.narrowed(model, 1)})")
        return Case.asked(
            f"{first}.{verb}({second}{every})", after, ordered="order_by" in after and form < 0.4
        )

    def prefetched(self):
        model = self.model()
        names = list(self.schema[model].relations)
        chosen = []
        for _ in range(self.draw.randint(1, 2)):
            name = self.draw.choice(names)
            target = self.schema[model].relations[name][0]
            form = self.draw.random()
            if form < 0.35:
                chosen.append(f"'{name}'")
            elif form < 0.55:
                chosen.append(f"'{name}__{self.draw.choice(list(self.schema[target].relations))}'")
            else:
                part = f"{self.order(target)}{self.part()}"
                to = f", to_attr='got{len(chosen)}'" if self.draw.random() < 0.5 else ""
                chosen.append(f"Prefetch('{name}', {self.narrowed(target, 1)}{part}{to})")
        queryset = f"{self.narrowed(model, 1)}"
        # Each relation's rows come in the order of their keys, or of Meta.
        return Case(f"{queryset}.order_by('pk').prefetch_related({', '.join(chosen)})", ordered=True)

    def loaded(self):
        """only(), defer(), select_related()."""
        model = self.model()
        single = [n for n, (_, many) in self.schema[model].relations.items() if not many]
        calls = []
        if single and self.draw.random() < 0.6:
            name = self.draw.choice(single)
            deeper = [
                n
                for n, (_, many) in self.schema[self.schema[model].relations[name][0]].relations.items()
                if not many
            ]
            full = f"{name}__{self.draw.choice(deeper)}" if deeper and self.draw.random() < 0.4 else name
            calls.append(f".select_related('{full}')")
        if not calls or self.draw.random() < 0.5:
            names = {
                path(self.draw, self.schema, model, to_many=False, hops=0.15)[0]
                for _ in range(self.draw.randint(1, 3))
            }
            calls.append(f".{self.draw.choice(['only', 'defer'])}({', '.join(map(repr, sorted(names)))})")
        return Case(f"{self.narrowed(model, 1)}{''.join(calls)}")

    def ended(self):
        """Ask a question that is answered at once."""
        model = self.model()
        queryset = self.narrowed(model)
        column = self.draw.choice(list(self.schema[model].columns))
        end = self.draw.choice([
            "count()", "exists()", "first()", "last()", f"earliest('{column}', 'pk')", f"latest('{column}', 'pk')", "in_bulk()", "in_bulk([1, 2, 99])",
            "get(pk=2)", "get()", f"get({arguments(self.draw, self.schema, model)})", f"contains({model}.objects.order_by('pk')[0])", "aggregate()",
        ])  # fmt: skip
        if end in ("first()", "last()", "count()", "exists()"):
            queryset += self.order(model) + (self.part() if end != "last()" else "")
        if self.draw.random() < 0.1:
            queryset, end = (
                f"{model}.objects.none()",
                self.draw.choice(["count()", "exists()", "aggregate(k=m.Count('pk'))", "first()"]),
            )
        return Case(queryset, end)

    def dates(self):
        order = self.draw.choice(["", ", order='DESC'"])
        if self.draw.random() < 0.5:
            column, _, _ = path(self.draw, self.schema, "Book", kinds=("date",), to_many=False)
            unit = self.draw.choice(["year", "month", "week", "day"])
            return Case(f"{self.narrowed('Book', 1)}.dates('{column}', '{unit}'{order})", ordered=True)
        unit = self.draw.choice(["year", "month", "week", "day", "hour", "minute", "second"])
        zone = self.draw.choice(["", ", tzinfo=Auckland", ", tzinfo=UTC"])
        return Case(f"{self.narrowed('Book', 1)}.datetimes('made', '{unit}'{order}{zone})", ordered=True)
