"""Airlines, airports, planes, weather and flights as models."""

from __future__ import annotations

from facade import models


class Airline(models.Model):
    """A carrier, known by its two-letter code."""

    carrier = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=60)

    class Meta:
        app_label = "nycflights"

    def __str__(self) -> str:
        return f"{self.carrier} {self.name}"


class Airport(models.Model):
    """An airport, known by its FAA code."""

    faa = models.CharField(max_length=4, primary_key=True)
    name = models.CharField(max_length=80)
    latitude = models.FloatField()
    longitude = models.FloatField()
    altitude = models.IntegerField(help_text="feet")
    utc_offset = models.IntegerField(help_text="hours")
    timezone = models.CharField(max_length=40, null=True)

    class Meta:
        app_label = "nycflights"

    def __str__(self) -> str:
        return f"{self.faa} {self.name}"


class Plane(models.Model):
    """An aircraft, known by its tail number."""

    tailnum = models.CharField(max_length=6, primary_key=True)
    year = models.IntegerField(null=True)
    kind = models.CharField(max_length=40)
    manufacturer = models.CharField(max_length=40)
    model = models.CharField(max_length=40)
    engines = models.SmallIntegerField()
    seats = models.SmallIntegerField()

    class Meta:
        app_label = "nycflights"

    def __str__(self) -> str:
        return f"{self.tailnum} {self.manufacturer} {self.model}"


class Weather(models.Model):
    """One hour's weather at one of the three airports."""

    origin_id: str
    origin = models.ForeignKey(Airport, on_delete=models.CASCADE, related_name="weather")
    time_hour = models.DateTimeField()
    temperature = models.DecimalField(max_digits=5, decimal_places=2, help_text="degrees Fahrenheit")
    humidity = models.DecimalField(max_digits=5, decimal_places=2, help_text="percent")
    wind_speed = models.FloatField(help_text="miles an hour")
    wind_gust = models.FloatField(null=True, help_text="miles an hour")
    visibility = models.FloatField(help_text="miles")

    class Meta:
        app_label = "nycflights"
        unique_together = (("origin", "time_hour"),)
        verbose_name_plural = "weather"

    def __str__(self) -> str:
        return f"{self.origin_id} {self.time_hour:%d %b %H:%M}: {self.temperature} °F"


class Flight(models.Model):
    """A departure. Times of day are numbers as the airlines print them: 517 is 5:17."""

    date = models.DateField()
    airline_id: str
    airline = models.ForeignKey(Airline, on_delete=models.CASCADE, related_name="flights")
    number = models.IntegerField()
    tailnum = models.CharField(max_length=6, null=True)
    plane = models.ForeignKey(Plane, on_delete=models.SET_NULL, null=True, related_name="flights")
    origin_id: str
    origin = models.ForeignKey(Airport, on_delete=models.CASCADE, related_name="departures")
    dest = models.CharField(max_length=4)
    destination = models.ForeignKey(Airport, on_delete=models.SET_NULL, null=True, related_name="arrivals")
    sched_dep_time = models.IntegerField()
    dep_time = models.IntegerField(null=True, help_text="empty when the flight was cancelled")
    dep_delay = models.IntegerField(null=True, help_text="minutes")
    sched_arr_time = models.IntegerField()
    arr_time = models.IntegerField(null=True)
    arr_delay = models.IntegerField(null=True, help_text="minutes")
    air_time = models.IntegerField(null=True, help_text="minutes")
    distance = models.IntegerField(help_text="miles")
    time_hour = models.DateTimeField()

    class Meta:
        app_label = "nycflights"

    def __str__(self) -> str:
        return f"{self.airline_id}{self.number} {self.origin_id}-{self.dest} on {self.date:%d %b}"


MODELS = (Airline, Airport, Plane, Weather, Flight)
"""In the order in which they refer to each other."""
