"""Hyperparameters under their paths, until there is a preset."""

import pytest
from sagemaker_rl.configuration_list import ConfigurationList
from sagemaker_rl.errors import InputError


class Schedule:
    """An object of a preset's kind, whose values differ."""

    def __init__(self):
        self.steps, self.rate, self.name = 1, 0.5, "a"


def filled(**given) -> ConfigurationList:
    configuration = ConfigurationList()
    for path, value in given.items():
        configuration.store(f"schedule.{path}", value, f"my_{path}")
    return configuration


def test_values_are_applied_in_the_order_in_which_they_were_stored_last():
    configuration = filled(steps="2", rate="0.25", name="b")
    configuration.store("schedule.steps", "3")
    configuration.store("another.steps", "4")
    schedule = Schedule()
    configuration.apply_subset(schedule, "schedule.")
    assert vars(schedule) == {"steps": 3, "rate": 0.25, "name": "b"}
    assert configuration.applied == [("schedule.rate", 0.25), ("schedule.name", "b"), ("schedule.steps", 3)]
    assert configuration.before == {"schedule.rate": 0.5, "schedule.name": "a", "schedule.steps": 1}
    assert configuration.hp_dict == {"another.steps": "4"}


def test_the_first_value_is_remembered_and_every_change():
    configuration, schedule = filled(steps="2"), Schedule()
    configuration.apply_subset(schedule, "schedule.")
    configuration.store("schedule.steps", 5)
    configuration.apply_subset(schedule, "schedule.")
    assert configuration.before == {"schedule.steps": 1}
    assert configuration.applied == [("schedule.steps", 2), ("schedule.steps", 5)]


def test_a_prefix_ends_at_its_dot_and_may_be_of_several_parts():
    configuration, schedule = ConfigurationList(), Schedule()
    configuration.store("rl.schedule.steps", "7")
    configuration.store("rl.schedules.steps", "8")
    configuration.apply_subset(schedule, "rl.schedule.")
    assert (schedule.steps, configuration.hp_dict) == (7, {"rl.schedules.steps": "8"})


def test_a_name_in_a_message_is_the_users():
    configuration = filled(rate="fast")
    configuration.store("schedule.steps", "x")
    assert configuration.name_of("schedule.rate") == "my_rate"
    assert configuration.name_of("schedule.steps") == "schedule.steps"
    assert configuration.name_of("never.stored") == "never.stored"
    with pytest.raises(InputError, match=r"^Hyperparameter my_rate is 'fast', expected a number\.$"):
        configuration.apply_subset(Schedule(), "schedule.")


@pytest.mark.parametrize(("given_as", "named"), [("", "schedule.__class__"), ("mine", "mine")])
def test_what_python_keeps_private_is_refused(given_as, named):
    configuration = ConfigurationList()
    with pytest.raises(InputError) as raised:
        configuration.store("schedule.__class__", 1, given_as)
    assert str(raised.value) == (
        f"Hyperparameter {named} is not in a preset: 'schedule.__class__' has two underscores."
    )
    assert configuration.hp_dict == {}
    configuration.store("schedule.a__b._c", 1)  # these are not private
    assert configuration.hp_dict == {"schedule.a__b._c": 1}


def test_what_has_reached_nothing_is_refused():
    configuration = ConfigurationList()
    configuration.refuse_rest(("rl.",))
    configuration.store("schedule.steps", 1, "steps")
    with pytest.raises(InputError) as raised:
        configuration.refuse_rest(("rl.", "env."))
    assert str(raised.value) == (
        "Hyperparameter steps leads to 'schedule.steps', expected a path that begins with rl. or env.."
    )
