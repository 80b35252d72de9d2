"""The names that a launcher's own code knows, read from the code."""

from sagemaker_rl.job.mapped_names import names_in

TABLE = {"from_the_module": "rl.a", "not a name": "rl.b", 7: "rl.c"}
SEVERAL = {"of_several": ("rl.a", "rl.b"), "in_a_list": ["rl.c"]}
NUMBERS = {"of_a_number": 1}
MIXED = {"of_a_mixture": ("rl.a", 2)}
BOTH = {"of_the_module": "rl.a"}
UNREAD = {"never_read": "rl.a"}


class Launcher:
    names = {"from_the_class": "rl.a"}
    BOTH = {"of_the_class": "rl.a"}

    def map_hyperparameter(self, name, value):
        if name == "compared" or name in ("of_a_tuple", "Of2") or name in {"of_a_set", "2nd"}:
            return TABLE, SEVERAL, NUMBERS, MIXED, BOTH, self.names
        if name == "compared":  # once more
            return "rl.agent_params", "rate-of", "Ünicode"
        return name.startswith("")


def test_strings_and_the_keys_of_tables_of_strings():
    assert names_in(Launcher.map_hyperparameter, Launcher) == [
        "Of2",
        "compared",
        "from_the_class",
        "from_the_module",
        "in_a_list",
        "of_a_set",
        "of_a_tuple",
        "of_several",
        "of_the_module",
    ]


def test_code_without_names():
    assert names_in(lambda self, name, value: None, Launcher) == []
