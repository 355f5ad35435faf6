"""The client's types are those of the API's description, and its methods those of its routes."""

from moca_client import generate_models


def test_models_are_as_the_api_is_described() -> None:
    """After a change of the API, run `make client-models`."""
    assert generate_models.MODELS.read_text() == generate_models.generate()
