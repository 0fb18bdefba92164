"""Expressions, as source, by the kind of their value."""

from __future__ import annotations

from tests.differential.conditions import condition, lookup
from tests.differential.constants import constant
from tests.differential.schema import path

FIELDS = {
    "int": "m.IntegerField()", "float": "m.FloatField()", "decimal": "m.DecimalField(max_digits=9, decimal_places=2)",
    "text": "m.TextField()", "bool": "m.BooleanField()", "date": "m.DateField()", "datetime": "m.DateTimeField()",
    "time": "m.TimeField()", "duration": "m.DurationField()", "json": "m.JSONField()", "key": "m.BigIntegerField()",
    "uuid": "m.UUIDField()", "ip": "m.GenericIPAddressField()",
}  # fmt: skip
ZONES = ["", "", ", tzinfo=Vienna", ", tzinfo=Auckland", ", tzinfo=UTC"]
PARTS = ["Year", "Month", "Day", "Week", "WeekDay", "IsoYear", "IsoWeekDay", "Quarter"]
TIME_PARTS = ["Hour", "Minute", "Second"]


class Expressions:
    """Draws expressions over one model; `to_many` lets their names cross relations to many rows."""

    def __init__(self, draw, schema, model, to_many=False):
        self.draw, self.schema, self.model, self.to_many = draw, schema, model, to_many

    def any(self, depth=2):
        """Draw an expression of any kind: its source, its kind."""
        kind = self.draw.choice(
            [
                "int",
                "int",
                "float",
                "decimal",
                "text",
                "text",
                "bool",
                "date",
                "datetime",
                "time",
                "duration",
                "json",
            ]
        )
        return self.of(kind, depth), kind

    def of(self, kind, depth=2):
        if depth <= 0 or self.draw.random() < 0.15:
            return self.leaf(kind)
        form = self.draw.random()
        if form < 0.35 and kind != "bool":
            return self.general(kind, depth - 1)
        return getattr(self, f"{kind}_call", self.leaf_of(kind))(depth - 1)

    def leaf_of(self, kind):
        return lambda depth: self.leaf(kind)

    def leaf(self, kind):
        if self.draw.random() < 0.15:
            return f"Value({self.typed_constant(kind)})"
        name, found, _ = path(
            self.draw, self.schema, self.model, kinds=(kind,), to_many=self.to_many, hops=0.2
        )
        return f"F('{name}')" if found == kind else f"Value({self.typed_constant(kind)})"

    def typed(self, kind):
        return f"Value({self.typed_constant(kind)})"

    def column(self, *kinds):
        return path(self.draw, self.schema, self.model, kinds=kinds, to_many=self.to_many, hops=0.2)[0]

    def typed_constant(self, kind):
        source = constant(self.draw, kind, odd=0)
        return (
            f"{source}, output_field={FIELDS[kind]}"
            if kind in ("json", "decimal", "ip") or self.draw.random() < 0.2
            else source
        )

    def general(self, kind, depth):
        """Draw what works on every kind: Coalesce, Case, NullIf, Greatest, Subquery, Cast."""
        form = self.draw.choice(
            ["coalesce", "coalesce", "case", "case", "nullif", "greatest", "subquery", "cast", "wrapper"]
        )
        if form == "coalesce":
            return f"fn.Coalesce({self.of(kind, depth)}, {self.of(kind, depth - 1)})"
        if form == "case":
            return self.case(kind, depth)
        if form == "nullif" and kind != "json":
            return f"fn.NullIf({self.of(kind, depth)}, {self.of(kind, depth - 1)})"
        if form == "greatest" and kind != "json":
            return f"fn.{self.draw.choice(['Greatest', 'Least'])}({self.of(kind, depth)}, {self.of(kind, depth - 1)})"
        if form == "cast":
            return self.cast(kind, depth)
        if form == "wrapper":
            return f"m.ExpressionWrapper({self.of(kind, depth)}, output_field={FIELDS[kind]})"
        return self.subquery(kind)

    def case(self, kind, depth):
        when = f"m.When({self.simple_condition()}, then={self.of(kind, depth - 1)})"
        default = self.draw.choice(["", f", default={self.of(kind, depth - 1)}"])
        second = (
            f", m.When({self.simple_condition()}, then={self.leaf(kind)})" if self.draw.random() < 0.3 else ""
        )
        return f"m.Case({when}{second}{default})"

    def simple_condition(self):
        if self.to_many or self.draw.random() < 0.3:
            return condition(self.draw, self.schema, self.model, 1)
        for _ in range(10):
            name, value = lookup(self.draw, self.schema, self.model)
            if "__" not in name.removesuffix("__in").removesuffix("__gt").removesuffix("__range"):
                return f"{name}={value}"
        return "pk=1"

    def cast(self, kind, depth):
        source = {"int": ["float", "text", "bool", "decimal"], "float": ["int", "decimal"], "decimal": ["int", "float"],
                  "text": ["int", "date", "uuid", "bool", "decimal"], "date": ["datetime"], "datetime": ["date"]}.get(kind, [kind])  # fmt: skip
        chosen = self.draw.choice(source)
        if kind == "int" and chosen == "text":
            return f"fn.Length({self.of('text', depth)})"
        return f"fn.Cast({self.of(chosen, depth)}, {FIELDS[kind]})"

    def subquery(self, kind):
        """Draw the first of another model's values, of rows that belong to this one's where there is a relation."""
        back = [
            (n, t) for n, (t, _) in self.schema[self.model].relations.items() if self.schema[t].of_kind(kind)
        ]
        if not back:
            return self.leaf(kind)
        name, target = self.draw.choice(back)
        column = self.draw.choice(self.schema[target].of_kind(kind))
        rows = f"{target}.objects.filter({self.outer(name, target)}).order_by('{column}', 'pk').values('{column}')[:1]"
        return f"Subquery({rows})"

    def outer(self, name, target):
        if self.draw.random() < 0.6:
            return f"pk=OuterRef('{name}')"
        key = self.draw.choice(["pk", *self.schema[target].of_kind("key")])
        return f"{key}{self.draw.choice(['', '__gt', '__lte'])}=OuterRef('pk')"

    def exists(self):
        name, (target, _) = self.draw.choice(list(self.schema[self.model].relations.items()))
        extra = (
            f", {condition(self.draw, self.schema, target, 0)}"[2:] + ", " if self.draw.random() < 0.4 else ""
        )
        return (
            f"{self.draw.choice(['', '~'])}Exists({target}.objects.filter({extra}{self.outer(name, target)}))"
        )

    # Each kind's own functions.

    def int_call(self, depth):
        form = self.draw.choice(
            [
                "arith",
                "arith",
                "length",
                "extract",
                "extract",
                "abs",
                "mod",
                "index",
                "ord",
                "sign",
                "floor",
                "bits",
            ]
        )
        if form == "arith":
            return f"({self.of('int', depth)} {self.draw.choice(['+', '-', '*', '%', '/'])} {self.draw.choice(['1', '2', '3', '-4', self.of('int', depth)])})"
        if form == "length":
            return f"fn.Length({self.of('text', depth)})"
        if form == "extract":
            return self.extract(depth)
        if form == "index":
            return f"fn.StrIndex({self.of('text', depth)}, {self.leaf('text')})"
        if form == "ord":
            return f"fn.Ord({self.of('text', depth)})"
        if form == "bits":
            return f"{self.leaf('int')}.{self.draw.choice(['bitand', 'bitor', 'bitxor'])}({self.draw.choice(['1', '3', '6'])})"
        if form == "mod":
            return f"fn.Mod({self.of('int', depth)}, {self.draw.choice(['2', '3'])})"
        return f"fn.{ {'abs': 'Abs', 'sign': 'Sign', 'floor': 'Floor'}[form] }({self.of('int', depth)})"

    def extract(self, depth):
        kind = self.draw.choice(["date", "datetime", "datetime", "time"])
        parts = {"date": PARTS, "datetime": PARTS + TIME_PARTS, "time": TIME_PARTS}[kind]
        zone = self.draw.choice(ZONES) if kind == "datetime" else ""
        return f"fn.Extract{self.draw.choice(parts)}({self.of(kind, depth)}{zone})"

    def float_call(self, depth):
        form = self.draw.choice(["arith", "round", "ceil", "sqrt", "power", "exp", "mixed", "trig"])
        if form == "arith":
            return f"({self.of('float', depth)} {self.draw.choice(['+', '-', '*', '/'])} {self.draw.choice(['1.5', '2', '0.25'])})"
        if form == "mixed":
            return f"({self.of('float', depth)} * {self.of('int', depth)})"
        if form == "power":
            return f"fn.Power({self.leaf('float')}, {self.draw.choice(['2', '0.5', '-1'])})"
        if form == "round":
            return (
                f"fn.Round({self.of('float', depth)}{self.draw.choice(['', ', 1', ', precision=2'])})"
                if self.draw.random() < 0.5
                else f"fn.Floor({self.of('float', depth)})"
            )
        if form == "trig":
            return f"fn.{self.draw.choice(['Sin', 'Cos', 'ATan', 'Radians', 'Degrees'])}({self.of('float', depth)})"
        if form == "sqrt":
            return f"fn.Sqrt(fn.Abs({self.of('float', depth)}))"
        return f"fn.{ {'ceil': 'Ceil', 'exp': 'Sign'}[form] }({self.of('float', depth)})"

    def decimal_call(self, depth):
        form = self.draw.choice(["arith", "arith", "abs", "round", "mixed"])
        if form == "arith":
            other = self.draw.choice(["D('0.5')", "1", "D('2')"])
            return f"({self.of('decimal', depth)} {self.draw.choice(['+', '-', '*'])} {other})"
        if form == "mixed":
            return f"({self.of('decimal', depth)} * {self.of('int', depth)})"
        return f"fn.{self.draw.choice(['Abs', 'Round', 'Ceil', 'Floor'])}({self.of('decimal', depth)})"

    def text_call(self, depth):
        form = self.draw.choice(
            ["case", "case", "concat", "substr", "left", "replace", "pad", "repeat", "hash", "slice"]
        )
        inner = self.of("text", depth)
        if form == "case":
            return f"fn.{self.draw.choice(['Lower', 'Upper', 'Trim', 'LTrim', 'Reverse'])}({inner})"
        if form == "concat":
            other = self.draw.choice([self.of("text", depth), "Value('-')"])
            return f"fn.Concat({inner}, {other})"
        if form == "substr":
            return f"fn.Substr({inner}, {self.draw.choice(['1', '2'])}{self.draw.choice(['', ', 2'])})"
        if form == "left":
            return f"fn.{self.draw.choice(['Left', 'Right'])}({inner}, {self.draw.choice(['1', '3'])})"
        if form == "replace":
            other = self.draw.choice(["", ", Value('%')"])
            return f"fn.Replace({inner}, Value('a'){other})"
        if form == "pad":
            fill = self.draw.choice(["", ", Value('xy')"])
            return f"fn.{self.draw.choice(['LPad', 'RPad'])}({inner}, {self.draw.choice(['5', '1'])}{fill})"
        if form == "repeat":
            return f"fn.Repeat({inner}, {self.draw.choice(['0', '2', '-1'])})"
        if form == "hash":
            return f"fn.MD5({inner})"  # PostgreSQL needs an extension for Django's others
        return f"F('{self.column('text')}')[{self.draw.choice(['1:3', ':2', '0', '2:'])}]"

    def bool_call(self, depth):
        form = self.draw.choice(["q", "q", "exists", "exists", "case", "wrapper"])
        if form == "exists":
            return self.exists()
        if form == "case":
            return self.case("bool", depth)
        if form == "wrapper":
            return f"m.ExpressionWrapper({condition(self.draw, self.schema, self.model, 1)}, output_field=m.BooleanField())"
        return condition(self.draw, self.schema, self.model, 1)

    def date_call(self, depth):
        form = self.draw.choice(["trunc", "truncdate", "arith"])
        if form == "trunc":
            return f"fn.Trunc{self.draw.choice(['Year', 'Quarter', 'Month', 'Week', 'Day'])}({self.of('date', depth)}{self.draw.choice(['', ', output_field=m.DateField()'])})"
        if form == "truncdate":
            return f"fn.TruncDate({self.of('datetime', depth)}{self.draw.choice(ZONES)})"
        return f"m.ExpressionWrapper({self.of('date', depth)} {self.draw.choice('+-')} dt.timedelta(days=1), output_field=m.DateField())"

    def datetime_call(self, depth):
        if self.draw.random() < 0.6:
            unit = self.draw.choice(["Year", "Quarter", "Month", "Week", "Day", "Hour", "Minute", "Second"])
            return f"fn.Trunc{unit}({self.of('datetime', depth)}{self.draw.choice(ZONES)})"
        other = self.draw.choice(
            ["dt.timedelta(hours=5)", "dt.timedelta(days=-1, microseconds=3)", self.of("duration", depth)]
        )
        return f"m.ExpressionWrapper({self.of('datetime', depth)} + {other}, output_field=m.DateTimeField())"

    def time_call(self, depth):
        if self.draw.random() < 0.5:
            return f"fn.TruncTime({self.of('datetime', depth)}{self.draw.choice(ZONES)})"
        return f"fn.Trunc{self.draw.choice(['Hour', 'Minute', 'Second'])}({self.of('time', depth)})"

    def duration_call(self, depth):
        form = self.draw.choice(["minus", "plus", "dates"])
        if form == "plus":
            return f"({self.of('duration', depth)} {self.draw.choice('+-')} {self.draw.choice(['dt.timedelta(hours=1)', self.of('duration', depth)])})"
        kind = "date" if form == "dates" else "datetime"
        return f"m.ExpressionWrapper({self.of(kind, depth)} - {self.of(kind, depth)}, output_field=m.DurationField())"

    def json_call(self, depth):
        if self.draw.random() < 0.5:
            return f"fn.JSONObject(a={self.leaf('int')}, b={self.leaf('text')})"
        return (
            f"F('{self.column('json')}__{self.draw.choice(['x', 'y', 'y__z', '0', 'nope'])}')"
            if self.model in ("Book", "EBook", "Novel")
            else self.leaf("json")
        )
