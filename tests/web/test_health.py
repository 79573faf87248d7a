"""How the model is, asked by many pages at once: one question, and nobody waits for a model that says nothing."""

import asyncio

import pytest

from internvl_demo.errors import BackendError
from internvl_demo.models.base import READY, Health
from internvl_demo.web.health import HealthWatch
from internvl_demo.web.language import Words, health_data
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_server import in_a_loop

AWAY = BackendError("The model is away.", "Wait.", "See {host}.", host="h")


class Patient(ScriptedModel):
    """Says how it is when the test lets it, and counts how often it was asked."""

    found: Health | Exception = READY

    def __init__(self) -> None:
        super().__init__()
        self.times, self.go = 0, asyncio.Event()

    async def health(self) -> Health:
        self.times += 1
        await self.go.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@in_a_loop
async def test_many_pages_are_one_question() -> None:
    model = Patient()
    watch = HealthWatch(model, fresh_s=3600)
    model.found = Health("down", AWAY)
    looks = [asyncio.create_task(watch.now()) for _ in range(100)]
    await asyncio.sleep(0)
    model.go.set()
    assert {look.kind for look in await asyncio.gather(*looks)} == {"down"}
    assert (await watch.now()).kind == "down" and model.times == 1


@in_a_loop
async def test_nothing_is_asked_while_nobody_looks() -> None:
    model = Patient()
    model.go.set()
    watch = HealthWatch(model, fresh_s=0)
    await asyncio.sleep(0.05)
    assert model.times == 0
    await watch.now()
    await watch.now()
    assert model.times == 2


@in_a_loop
async def test_nobody_waits_for_a_model_that_says_nothing() -> None:
    model = Patient()
    watch = HealthWatch(model, fresh_s=0, patience_s=0)
    model.found = Health("down", AWAY)
    assert (await watch.now(), await watch.now()) == (READY, READY) and model.times == 1
    model.go.set()
    while (await watch.now()).kind == "ready":
        await asyncio.sleep(0)


@in_a_loop
async def test_a_mistake_of_a_backend_changes_nothing() -> None:
    model = Patient()
    model.go.set()
    model.found = Health("down", AWAY)
    watch = HealthWatch(model, fresh_s=0)
    assert (await watch.now()).kind == "down"
    model.found = RuntimeError("a mistake")
    assert (await watch.now()).kind == "down"
    model.found = READY
    assert (await watch.now()).kind == "ready"


@in_a_loop
async def test_the_end_of_the_app_ends_the_question() -> None:
    model = Patient()
    watch, before = HealthWatch(model, patience_s=0), asyncio.all_tasks()
    await watch.now()
    assert asyncio.all_tasks() != before
    await watch.close()
    await watch.close()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (READY, {"kind": "ready"}),
        (
            Health("down", AWAY),
            {"kind": "down", "what": "The model is away.", "next_step": "Wait.", "details": "See h."},
        ),
        (
            Health("loading", BackendError("It loads.", "Wait."), 0),
            {"kind": "loading", "per_cent": 0, "what": "It loads.", "next_step": "Wait."},
        ),
    ],
)
def test_health_is_told_with_what_is_known(health: Health, told: dict[str, object]) -> None:
    assert health_data(health, Words()) == told
