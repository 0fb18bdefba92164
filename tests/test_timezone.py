"""Time zones: the default one, the current one, and the way between aware and naive values."""

import asyncio
import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from facade import configuration, timezone

NOON = dt.datetime(2024, 7, 1, 12, tzinfo=timezone.UTC)
CLOCK = dt.datetime.fromisoformat("2024-07-01 12:00")


@pytest.fixture(autouse=True)
def vienna():
    with configuration.override(USE_TZ=True, TIME_ZONE="Europe/Vienna"):
        yield
    timezone.deactivate()


def test_the_default_zone_is_a_setting():
    assert timezone.get_default_timezone() == ZoneInfo("Europe/Vienna")
    assert timezone.get_current_timezone_name() == "Europe/Vienna"


def test_the_current_zone_can_be_another():
    timezone.activate("Asia/Tokyo")
    assert timezone.get_current_timezone_name() == "Asia/Tokyo"
    with timezone.override(dt.UTC):
        assert timezone.get_current_timezone() is dt.UTC
        with timezone.override(None):
            assert timezone.get_current_timezone_name() == "Europe/Vienna"
    assert timezone.get_current_timezone_name() == "Asia/Tokyo"
    timezone.deactivate()
    assert timezone.get_current_timezone_name() == "Europe/Vienna"


async def test_the_current_zone_belongs_to_a_task():
    async def name(zone):
        timezone.activate(zone)
        await asyncio.sleep(0)
        return timezone.get_current_timezone_name()

    assert await asyncio.gather(name("Asia/Tokyo"), name("UTC")) == ["Asia/Tokyo", "UTC"]
    assert timezone.get_current_timezone_name() == "Europe/Vienna"


def test_now_is_aware_where_zones_are_used():
    assert timezone.now().tzinfo is timezone.UTC
    with configuration.override(USE_TZ=False):
        assert timezone.is_naive(timezone.now())
        distance = timezone.now() - dt.datetime.now(ZoneInfo("Europe/Vienna")).replace(tzinfo=None)
    assert abs(distance) < dt.timedelta(seconds=5)


def test_a_clock_gets_a_zone():
    assert timezone.make_aware(CLOCK) == dt.datetime(2024, 7, 1, 10, tzinfo=timezone.UTC)
    assert timezone.make_aware(CLOCK, timezone.UTC) == NOON
    with pytest.raises(ValueError, match="expects a naive datetime"):
        timezone.make_aware(NOON)


def test_a_moment_loses_its_zone():
    assert timezone.make_naive(NOON) == dt.datetime.fromisoformat("2024-07-01 14:00")
    assert timezone.make_naive(NOON, timezone.UTC) == CLOCK
    with pytest.raises(ValueError, match="cannot be applied to a naive datetime"):
        timezone.make_naive(CLOCK)


def test_local_time_is_that_of_the_current_zone():
    with timezone.override("Asia/Tokyo"):
        assert timezone.localtime(NOON).hour == 21
        assert timezone.localdate(NOON.replace(hour=20)) == dt.date(2024, 7, 2)
    assert timezone.is_aware(timezone.localtime())
    with pytest.raises(ValueError, match="cannot be applied to a naive datetime"):
        timezone.localtime(CLOCK)
