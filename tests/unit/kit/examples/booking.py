"""Flights and aircraft: two aggregates of one routing key (the airline), one state written as an exhaustive match."""

from typing import assert_never

from shardlog import (
    Aggregate,
    AwareDatetime,
    Changes,
    Command,
    Context,
    Domain,
    Event,
    Index,
    Key,
    Projection,
    Recorded,
    Row,
    State,
    Transaction,
    add,
    put,
    reject,
    replace,
    update,
)


class Aircraft(State):
    seats: int = 0
    flight: str | None = None


class AircraftEvent(Event): ...


class AircraftCommand(Command): ...


class Register(AircraftCommand):
    seats: int


class Registered(AircraftEvent):
    seats: int


class Assigned(AircraftEvent):
    flight: str


class Released(AircraftEvent):
    flight: str


aircraft = Aggregate("aircraft", initial=Aircraft(), commands=AircraftCommand, events=AircraftEvent, routing_parts=1)


@aircraft.decides
def register(state: Aircraft, command: Register) -> Registered:
    if state.seats:
        reject("already_registered", "this aircraft is registered")
    return Registered(seats=command.seats)


@aircraft.evolves
def evolve_aircraft(state: Aircraft, event: Registered | Assigned | Released) -> Aircraft:
    match event:
        case Registered():
            return replace(state, seats=event.seats)
        case Assigned():
            return replace(state, flight=event.flight)
        case Released():
            return replace(state, flight=None)
        case _:
            assert_never(event)


class Flight(State):
    departs: AwareDatetime | None = None
    aircraft: str | None = None
    booked: int = 0
    seats: int = 0


class FlightCommand(Command): ...


class FlightEvent(Event): ...


class Schedule(FlightCommand):
    departs: AwareDatetime


class AssignAircraft(FlightCommand):
    aircraft: str


class Book(FlightCommand):
    passenger: str


class Scheduled(FlightEvent):
    departs: AwareDatetime


class AircraftAssigned(FlightEvent):
    aircraft: str
    seats: int


class Booked(FlightEvent):
    booking: str
    passenger: str


class SoldOut(FlightEvent): ...


flight = Aggregate("flight", initial=Flight(), commands=FlightCommand, events=FlightEvent, routing_parts=1)


@flight.decides
def schedule(state: Flight, command: Schedule, context: Context) -> Scheduled | None:
    if command.departs <= context.time:
        reject("in_the_past", f"{command.departs} is over, it is {context.time}")
    return None if state.departs == command.departs else Scheduled(departs=command.departs)


@flight.transaction
def assign_aircraft(tx: Transaction[Flight, FlightEvent], command: AssignAircraft) -> None:
    here = tx.own
    plane = tx.load(aircraft.stream(command.aircraft))
    if plane.state.flight is not None:
        reject("aircraft_in_use", f"{command.aircraft} flies {plane.state.flight}")
    if plane.state.seats < here.state.booked:
        reject("too_small", f"{here.state.booked} are booked, {command.aircraft} seats {plane.state.seats}")
    if here.state.aircraft is not None:
        tx.load(aircraft.stream(here.state.aircraft)).append(Released(flight=here.id))
    plane.append(Assigned(flight=here.id))
    here.append(AircraftAssigned(aircraft=plane.id, seats=plane.state.seats))


@flight.decides
def book(state: Flight, command: Book, context: Context) -> Booked | tuple[Booked, SoldOut]:
    if state.booked >= state.seats:
        reject("sold_out", "no seat is left")
    booked = Booked(booking=context.new_id(), passenger=command.passenger)
    return (booked, SoldOut()) if state.booked + 1 == state.seats else booked


@flight.evolves
def scheduled(state: Flight, event: Scheduled) -> Flight:
    return replace(state, departs=event.departs)


@flight.evolves
def aircraft_assigned(state: Flight, event: AircraftAssigned) -> Flight:
    return replace(state, aircraft=event.aircraft, seats=event.seats)


@flight.evolves
def booked(state: Flight, event: Booked) -> Flight:
    return replace(state, booked=state.booked + 1)


flight.ignores(SoldOut)


class Departure(Row, name="departures"):
    flight: Key[str]
    departs: Index[AwareDatetime]
    free: int = 0


departures = Projection("departures", rows=[Departure], version=2)


@departures.on
def departure_scheduled(event: Scheduled, recorded: Recorded) -> Changes:
    return put(Departure(flight=recorded.id, departs=event.departs))


@departures.on
def departure_free(event: AircraftAssigned, recorded: Recorded) -> Changes:
    return update(Departure, recorded.id, free=event.seats)


@departures.on
def departure_booked(event: Booked, recorded: Recorded) -> Changes:
    return update(Departure, recorded.id, free=add(-1))


airline = Domain("airline", aggregates=[aircraft, flight])
