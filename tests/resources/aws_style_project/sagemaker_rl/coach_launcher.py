"""Stands for the copy of a launcher that runs in another image only."""

import a_package_of_another_image


class SageMakerCoachPresetLauncher:
    pass
