"""Twins: the async face of sync methods, who owns their operations, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings

import pytest

from facade import bridge
from facade.exceptions import SynchronousOnlyOperation


async def later(value):
    await asyncio.sleep(0)
    return value


class Author:
    """A model in miniature: sync methods and their twins."""

    def __init__(self, name="Ada"):
        self.name = name

    def get(self, suffix="", *, upper=False):
        """Return the name."""
        name = bridge.wait(later(self.name + suffix))
        return name.upper() if upper else name

    def save(self):
        return f"{self.name} saved"

    def creator(self):
        bridge.wait(later(None))
        return bridge.owner()

    aget = bridge.twin(get)
    asave = bridge.twin(save)
    acreator = bridge.twin(creator)


def lookup(name):
    """Return the name."""
    return bridge.wait(later(name))


alookup = bridge.function_twin(lookup)


class TestTwin:
    async def test_runs_the_sync_method(self):
        assert await Author().aget("!", upper=True) == "ADA!"

    async def test_runs_the_override(self):
        class Poet(Author):
            def save(self):
                return "poem and " + super().save()

        assert await Poet().asave() == "poem and Ada saved"

    async def test_works_as_a_class_method(self):
        class Registry:
            def make(cls, name):
                return cls.__name__ + name

            amake = classmethod(bridge.twin(make))
            make = classmethod(make)

        assert await Registry.amake("!") == "Registry!"

    async def test_of_a_function(self):
        assert await alookup("Ada") == "Ada"

    def test_has_the_names_the_signature_and_the_text_of_the_method(self):
        assert Author.aget.__name__ == "aget"
        assert Author.aget.__qualname__ == "Author.aget"
        assert Author.aget.__doc__ == "Return the name."
        assert inspect.signature(Author.aget) == inspect.signature(Author.get)
        assert (alookup.__name__, alookup.__qualname__) == ("alookup", "alookup")

    def test_keeps_the_marks_of_the_method(self):
        def delete(self):
            """Delete."""

        delete.alters_data = True
        assert bridge.twin(delete).alters_data

    def test_counts_as_a_coroutine_function(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert asyncio.iscoroutinefunction(Author.aget)
            assert asyncio.iscoroutinefunction(Author().aget)
            assert asyncio.iscoroutinefunction(alookup)

    async def test_can_be_awaited_in_a_task(self):
        assert await asyncio.create_task(Author().asave()) == "Ada saved"

    @pytest.mark.parametrize(
        ("call", "name"),
        [
            (lambda: Author().aget(), "Author.aget"),
            (lambda: alookup("x"), "alookup"),
            (lambda: bridge.run(int), "run"),
        ],
    )
    def test_never_awaited_it_warns_with_its_own_name(self, call, name):
        with pytest.warns(RuntimeWarning, match=rf"coroutine '{name}' was never awaited"):
            call()
            gc.collect()

    def test_may_be_called_outside_of_a_loop(self):
        assert asyncio.run(Author().aget()) == "Ada"


class TestRun:
    async def test_refuses_async_functions(self):
        with pytest.raises(TypeError, match=r"run\(\) takes a synchronous function, but later\(\) is async"):
            await bridge.run(later, 1)
        with pytest.raises(TypeError, match=r"Author\.aget\(\) is async"):
            await bridge.run(Author().aget)

    async def test_runs_ordinary_code_that_calls_ordinary_methods(self):
        def handler():
            return Author().get() + Author().save()

        assert await bridge.run(handler) == "AdaAda saved"


class TestOwner:
    async def test_is_the_task_that_calls(self):
        assert await Author().acreator() is asyncio.current_task()

    async def test_in_gather_is_the_task_that_wrote_the_line(self):
        author = Author()
        owners = await asyncio.gather(*(author.acreator() for _ in range(3)))
        assert set(owners) == {asyncio.current_task()}

    async def test_in_a_child_task_is_the_child(self):
        async def child():
            return await Author().acreator(), asyncio.current_task()

        owner, task = await asyncio.create_task(child())
        assert owner is task
        assert owner is not asyncio.current_task()

    async def test_of_spawn_and_run_is_the_caller_as_well(self):
        for start in (bridge.spawn, bridge.run):
            assert await asyncio.create_task(start(bridge.owner)) is asyncio.current_task()

    async def test_an_operation_inside_an_operation_inherits_it(self):
        def outer():
            return bridge.wait(asyncio.create_task(Author().acreator()))

        (owner,) = await asyncio.gather(bridge.spawn(outer))
        assert owner is asyncio.current_task()

    async def test_of_a_stream_is_the_task_that_made_it(self):
        def rows():
            yield bridge.owner()

        stream = bridge.iterate(rows())
        assert await asyncio.create_task(anext_of(stream)) is asyncio.current_task()
        await stream.aclose()

    def test_called_outside_of_a_loop_is_the_task_that_runs_it(self):
        async def main(coroutine):
            return await coroutine is asyncio.current_task()

        assert asyncio.run(main(Author().acreator()))

    async def test_in_a_coroutine_is_its_task(self):
        assert bridge.owner() is asyncio.current_task()

    async def test_in_sync_code_is_one_per_thread(self):
        def two():
            return bridge.owner(), bridge.owner()

        here = await asyncio.to_thread(two)
        assert here[0] is here[1]
        assert here[0] is not asyncio.current_task()


async def anext_of(stream):
    return await anext(stream)


class TestCheckTwins:
    def test_refuses_a_class_that_overrides_only_the_twin(self):
        class Poet(Author):
            async def asave(self):
                """Too late: save() does not come here."""

        with pytest.raises(TypeError, match=r"Poet overrides asave\(\) but not save\(\).*override save\(\)"):
            bridge.check_twins(Poet, Author)

    def test_refuses_it_in_a_mixin(self):
        class Loud:
            async def asave(self):
                """Too late: save() does not come here."""

        class Poet(Loud, Author):
            pass

        with pytest.raises(TypeError, match=r"Loud overrides asave\(\)"):
            bridge.check_twins(Poet, Author)

    def test_accepts_the_sync_method_both_and_another_twin(self):
        class OnlySync(Author):
            def save(self):
                return "right"

        class Both(Author):
            def save(self):
                return "right"

            async def asave(self):
                return "right, too"

        class Renewed(Author):
            asave = bridge.twin(Author.save)

        class Unrelated(Author):
            async def anything(self):
                return "its own"

        for cls in (OnlySync, Both, Renewed, Unrelated, Author):
            bridge.check_twins(cls, Author)


class TestCheckBlocking:
    def test_sync_code_may_block(self):
        bridge.check_blocking()

    async def test_a_worker_may_wait(self):
        await bridge.spawn(bridge.check_blocking)

    async def test_a_thread_beside_the_loop_may_block(self):
        await asyncio.to_thread(bridge.check_blocking)

    async def test_code_in_a_running_loop_may_not(self):
        with pytest.raises(
            SynchronousOnlyOperation, match=r"would block the running event loop.*facade\.run\(\)"
        ):
            bridge.check_blocking()

    async def test_the_caller_may_say_what_and_what_instead(self):
        with pytest.raises(
            SynchronousOnlyOperation, match=r"^Book\.author would block .*: use select_related, or run"
        ):
            bridge.check_blocking("Book.author", "use select_related")


LIBRARY = """
from facade import bridge

class QuerySet:
    def get(self):
        return self._fetch()
    def _fetch(self):
        bridge.check_blocking()
    aget = bridge.twin(get)
    def __iter__(self):
        return self._fetch()
    def __len__(self):
        return len(list(self))

class Model:
    def save(self):
        return QuerySet().get()
    asave = bridge.twin(save)

def health_check():
    bridge.check_blocking()
ahealth_check = bridge.function_twin(health_check)
"""


class TestTheWayOut:
    """What the error names, for a library in miniature that counts as part of the package."""

    @pytest.fixture
    def library(self):
        names = {"__name__": "facade.miniature"}
        exec(compile(LIBRARY, "miniature.py", "exec"), names)
        return names

    async def test_names_the_method_that_was_called_and_its_twin(self, library):
        with pytest.raises(
            SynchronousOnlyOperation, match=r"^QuerySet\.get\(\) would block.*await aget\(\) instead"
        ):
            library["QuerySet"]().get()

    async def test_names_the_outermost_one(self, library):
        with pytest.raises(SynchronousOnlyOperation, match=r"^Model\.save\(\) .*await asave\(\)"):
            library["Model"]().save()

    async def test_names_it_below_an_override(self, library):
        class Author(library["Model"]):
            def save(self):
                return super().save()

        with pytest.raises(SynchronousOnlyOperation, match=r"Author\.save\(\) .*await asave\(\)"):
            Author().save()

    async def test_names_a_function(self, library):
        with pytest.raises(SynchronousOnlyOperation, match=r"^health_check\(\) .*await ahealth_check\(\)"):
            library["health_check"]()

    async def test_names_the_async_form_of_a_loop(self, library):
        with pytest.raises(SynchronousOnlyOperation, match=r"QuerySet\.__iter__ .*`async for`"):
            for _ in library["QuerySet"]():
                pass

    async def test_names_the_async_form_of_len(self, library):
        with pytest.raises(SynchronousOnlyOperation, match=r"QuerySet\.__len__ .*`await` it first"):
            len(library["QuerySet"]())
