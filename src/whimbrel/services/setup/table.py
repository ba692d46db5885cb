"""The table of the steps, in their order: one line each. Terminal, answers file and browser derive from it."""

from whimbrel.services.setup.step import Step
from whimbrel.services.setup.steps.administrator import ADMINISTRATOR
from whimbrel.services.setup.steps.certificate import CERTIFICATE
from whimbrel.services.setup.steps.language import LANGUAGE
from whimbrel.services.setup.steps.names import NAMES
from whimbrel.services.setup.steps.outgoing import OUTGOING
from whimbrel.services.setup.steps.people import PEOPLE
from whimbrel.services.setup.steps.storage import STORAGE
from whimbrel.services.setup.steps.surroundings import Services, surroundings


def steps(services: Services) -> tuple[Step, ...]:
    """`services`: those that this release has."""
    return (LANGUAGE, surroundings(services), NAMES, ADMINISTRATOR, STORAGE, CERTIFICATE, OUTGOING, PEOPLE)
