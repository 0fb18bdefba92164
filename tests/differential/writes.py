"""Statements that write: on instances, on querysets, in bulk, through relations."""

from __future__ import annotations

from tests.differential.cases import Change
from tests.differential.conditions import arguments, condition
from tests.differential.constants import constant
from tests.differential.expressions import Expressions

MODELS = (
    ["Book"] * 4
    + ["Author"] * 3
    + ["EBook"] * 2
    + ["Novel", "Review", "Review", "Reading", "Tag", "Tag", "Profile", "Country"]
)
UNIQUE = {"Tag": ["label"], "Country": ["name"], "Reading": ["book", "author"], "Book": ["code"]}
MANY = [
    ("Book", "tags", "Tag"), ("Tag", "books", "Book"), ("Author", "friends", "Author"), ("Author", "follows", "Author"),
    ("Author", "followers", "Author"), ("EBook", "tags", "Tag"), ("Novel", "tags", "Tag"),
]  # fmt: skip
BACK = [
    ("Author", "books", "Book"),
    ("Author", "edited", "Book"),
    ("Country", "authors", "Author"),
    ("Book", "reviews", "Review"),
    ("Author", "pupils", "Author"),
]
NEEDED = {
    "Book": {"title": "'new'", "author_id": "2"}, "EBook": {"title": "'new'", "author_id": "2"}, "Novel": {"title": "'new'", "author_id": "2"},
    "Author": {"name": "'New'"}, "Review": {}, "Reading": {"book_id": "6", "author_id": "4"}, "Tag": {"label": "'new'"},
    "Profile": {"author_id": "4"}, "Country": {"code": "'xx'", "name": "'New'"},
}  # fmt: skip


class Writes:
    """Draws cases that write."""

    def __init__(self, draw, schema):
        self.draw, self.schema = draw, schema

    def case(self):
        forms = (
            [self.created] * 3
            + [self.saved] * 4
            + [self.updated] * 5
            + [self.made_in_bulk] * 3
            + [self.updated_in_bulk] * 2
        )
        forms += [self.got_or_created] * 3 + [self.deleted] * 3 + [self.many] * 3 + [self.reverse] * 2
        return Change(self.draw.choice(forms)())

    def model(self):
        return self.draw.choice(MODELS)

    def value(self, model, name, expressions=0.0, inserting=False):
        """Draw a value for a column: a constant, or an expression of its kind."""
        kind = self.schema[model].columns[name]
        if kind == "key" or self.draw.random() >= expressions or name == "code":
            return constant(self.draw, kind, odd=0.05)
        if inserting:
            return self.insertable(kind)
        return Expressions(self.draw, self.schema, model).of(kind, 2)

    def insertable(self, kind):
        """Draw an expression that names no column."""
        value = f"Value({constant(self.draw, kind, odd=0)})"
        calls = {
            "text": ["fn.Upper({0})", "fn.Concat({0}, Value('-'))", "fn.Left({0}, 2)"], "int": ["{0} + 1", "fn.Abs({0})", "fn.Length(Value('abc'))"],
            "date": ["fn.TruncMonth({0}, output_field=m.DateField())", "{0}"], "datetime": ["fn.TruncHour({0}, output_field=m.DateTimeField())"],
            "float": ["fn.Sqrt(fn.Abs({0}))", "{0} * 2.5"], "bool": ["m.Case(m.When(m.Exists(Author.objects.filter(pk=1)), then=True), default=False)"],
        }  # fmt: skip
        return self.draw.choice(calls.get(kind, ["{0}"])).format(value)

    def fields(self, model, needed=True, expressions=0.0, inserting=False, most=3):
        """Draw a dict of column names to values."""
        fields = dict(NEEDED[model]) if needed else {}
        names = list(self.schema[model].writable)
        for name in dict.fromkeys(
            self.draw.choice(names) for _ in range(self.draw.randint(0 if needed else 1, most))
        ):
            fields[name] = self.value(model, name, expressions, inserting)
        return dict(sorted(fields.items()))

    def keywords(self, fields):
        return ", ".join(f"{name}={value}" for name, value in fields.items())

    def created(self):
        model = self.model()
        fields = self.keywords(self.fields(model, expressions=0.2, inserting=True))
        form = self.draw.random()
        if form < 0.5:
            return f"told = {model}.objects.create({fields})"
        if form < 0.8:
            return f"told = {model}({fields})\ntold.save({self.draw.choice(['', 'force_insert=True'])})"
        key = self.draw.choice(["1", "2", "77", "'at'"])
        return f"told = {model}(pk={key}, {fields})\ntold.save()"

    def saved(self):
        model = self.model()
        key = self.draw.choice(["first()", "last()", "get(pk=4)"])
        loaded = self.draw.choice(
            ["", "", f".only('{self.draw.choice(list(self.schema[model].writable) or ['pk'])}')"]
        )
        lines = [f"o = {model}.objects.order_by('pk'){loaded}.{key}"]
        names = []
        for name, value in self.fields(model, needed=False, expressions=0.4).items():
            lines.append(f"o.{name} = {value}")
            names.append(name)
        how = self.draw.choice(["", "", f"update_fields={names!r}", "force_update=True"])
        lines.append(f"o.save({how})")
        if self.draw.random() < 0.3:
            lines.append("o.refresh_from_db()")
        return "\n".join([*lines, "told = o"])

    def updated(self):
        model = self.model()
        fields = self.fields(model, needed=False, expressions=0.6)
        if model in ("Book", "Author") and self.draw.random() < 0.15:
            fields = {
                "editor" if model == "Book" else "mentor": self.draw.choice(
                    ["1", "None", "Author.objects.get(pk=2)", "3"]
                )
            }
        rows = f"{model}.objects"
        if self.draw.random() < 0.7:
            rows += f".{self.draw.choice(['filter', 'exclude'])}({arguments(self.draw, self.schema, model)})"
        if self.draw.random() < 0.15:
            rows += f".annotate(e={Expressions(self.draw, self.schema, model).of('int', 1)})"
            fields.update(
                {
                    n: "F('e')"
                    for n in ("n", "age", "stars", "weight", "population")
                    if n in self.schema[model].writable
                }
            )
        if self.draw.random() < 0.1:
            rows += ".order_by('-pk')"
        return f"told = {rows}.update({self.keywords(fields)})"

    def made_in_bulk(self):
        model = self.draw.choice(["Tag", "Tag", "Country", "Reading", "Review", "Book", "Author"])
        rows = [self.fields(model, expressions=0.1, inserting=True) for _ in range(self.draw.randint(1, 3))]
        for number, row in enumerate(rows):
            if model in ("Tag", "Country") and self.draw.random() < 0.7:
                row["label" if model == "Tag" else "name"] = self.draw.choice(
                    [f"'n{number}'", "'sf'", "'crime'", "'Austria'"]
                )
            if model == "Country":
                row["code"] = self.draw.choice([f"'x{number}'", "'at'"])
            if model == "Reading":
                row.update(book_id=self.draw.choice(["1", "2", "6"]), author_id=str(number + 1))
        how = self.draw.choice(
            [
                "",
                "",
                ", ignore_conflicts=True",
                self.upserting(model),
                self.upserting(model),
                ", batch_size=1",
            ]
        )
        made = ", ".join(f"{model}({self.keywords(row)})" for row in rows)
        return f"told = {model}.objects.bulk_create([{made}]{how})"

    def upserting(self, model):
        unique = {**UNIQUE, "Country": ["code"]}.get(model, ["pk"])
        others = [n for n in self.schema[model].writable if n not in unique]
        if not others:
            return ""
        return (
            f", update_conflicts=True, unique_fields={unique!r}, update_fields={[self.draw.choice(others)]!r}"
        )

    def updated_in_bulk(self):
        model = self.draw.choice(["Book", "Book", "Author", "EBook", "Tag", "Review"])
        names = sorted({self.draw.choice(list(self.schema[model].writable)) for _ in range(2)})
        lines = [f"rows = list({model}.objects.order_by('pk'){self.draw.choice(['', '[:3]', '[1:2]'])})"]
        for number in range(self.draw.randint(1, 3)):
            lines += [
                f"if len(rows) > {number}: rows[{number}].{n} = {self.value(model, n, 0.3)}" for n in names
            ]
        return "\n".join(
            [
                *lines,
                f"told = {model}.objects.bulk_update(rows, {names!r}{self.draw.choice(['', '', ', batch_size=2'])})",
            ]
        )

    def got_or_created(self):
        model = self.draw.choice(["Tag", "Author", "Book", "Country", "Review", "EBook"])
        table = self.schema[model]
        column = self.draw.choice([n for n in table.writable if table.columns[n] != "json"])
        find = {column: constant(self.draw, table.columns[column], odd=0.08)}
        defaults = {
            n: v for n, v in self.fields(model, expressions=0.2, inserting=True).items() if n not in find
        }
        packed = "{" + ", ".join(f"'{name}': {value}" for name, value in defaults.items()) + "}"
        verb = self.draw.choice(["get_or_create", "update_or_create", "update_or_create"])
        extra = ""
        if verb == "update_or_create" and self.draw.random() < 0.3:
            plain = {**NEEDED[model], **find}
            extra = (
                ", create_defaults={"
                + ", ".join(f"'{n}': {v}" for n, v in plain.items() if n not in find)
                + "}"
            )
        return f"told = {model}.objects.{verb}({self.keywords(find)}, defaults={packed}{extra})"

    def deleted(self):
        model = self.model()
        if self.draw.random() < 0.3:
            return f"o = {model}.objects.order_by('pk').{self.draw.choice(['first()', 'last()'])}\ntold = o.delete(), o"
        rows = f"{model}.objects.filter({condition(self.draw, self.schema, model, 1)})"
        if self.draw.random() < 0.1:
            rows += self.draw.choice(
                [".order_by('pk')[:1]", ".distinct()", ".values('pk')", ".select_related()"]
            )
        return f"told = {rows}.delete()"

    def many(self):
        model, name, target = self.draw.choice(MANY)
        lines = [
            f"o = {model}.objects.order_by('pk')[{self.draw.choice('012')}]"
            if model != "EBook"
            else "o = EBook.objects.order_by('pk')[0]"
        ]
        for _ in range(self.draw.randint(1, 3)):
            some = self.draw.choice(
                [
                    "1, 2",
                    "2",
                    f"*{target}.objects.order_by('pk')[:2]",
                    f"{target}.objects.order_by('pk').last()",
                    "",
                ]
            )
            listed = self.draw.choice(
                [f"[{some}]", f"{target}.objects.filter({condition(self.draw, self.schema, target, 0)})"]
            )
            new = self.keywords(self.fields(target, most=1))
            call = self.draw.choice(
                [
                    f"add({some})",
                    f"remove({some})",
                    f"set({listed})",
                    f"set({listed}, clear=True)",
                    "clear()",
                    f"create({new})",
                ]
            )
            lines.append(f"o.{name}.{call}")
        return "\n".join(
            [*lines, f"told = list(o.{name}.order_by('pk')), o.{name}.count(), o.{name}.exists()"]
        )

    def reverse(self):
        model, name, target = self.draw.choice(BACK)
        lines = [f"o = {model}.objects.order_by('pk')[{self.draw.choice('012')}]"]
        some = f"*{target}.objects.order_by('pk')[:2]"
        calls = [f"add({some})", f"add({some}, bulk=False)", f"set([{some}])", f"create({self.keywords({n: v for n, v in self.fields(target, most=1).items() if n != 'author_id' or name != 'books'})})",
                 f"update({self.keywords(self.fields(target, needed=False, most=1))})", "all().delete()"]  # fmt: skip
        if name != "books":
            calls += [f"remove({some})", "clear()", "clear(bulk=False)"]
        lines.append(f"o.{name}.{self.draw.choice(calls)}")
        return "\n".join([*lines, f"told = list(o.{name}.order_by('pk'))"])
