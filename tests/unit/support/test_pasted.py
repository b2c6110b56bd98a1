"""Tests that documented commands can run next to the release and the `make run` of a developer."""

import re

import pytest

from e2e.pasted import elsewhere


def test_commands_run_in_the_given_namespace() -> None:
    """The namespace is replaced as an option and within a value."""
    documented = "helm install financehub chart -n market --set 'scheduler.namespaces={market}'"
    expected = "helm install financehub chart -n e2e-x --set 'scheduler.namespaces={e2e-x}'"
    assert elsewhere(documented, "e2e-x") == expected


def test_other_names_are_kept() -> None:
    """A host name, a longer name and the port inside the cluster are not those of the documents."""
    documented = "kubectl get svc -n marketing; curl http://market.example.com:8000/"
    assert elsewhere(documented, "e2e-x") == documented


def test_ports_on_this_machine_are_free_ones() -> None:
    """The port that a command opens and the requests to it get the same free port."""
    documented = "kubectl port-forward -n market svc/web 8000:80 & curl http://localhost:8000/api/"
    found = re.fullmatch(
        r"kubectl port-forward -n e2e-x svc/web (\d+):80 & curl http://localhost:(\d+)/api/",
        elsewhere(documented, "e2e-x"),
    )
    assert found
    assert found[1] == found[2] != "8000"


def test_namespace_that_is_not_replaced_fails() -> None:
    """A notation of the namespace that this does not know fails, because the command would use the other release."""
    with pytest.raises(AssertionError):
        elsewhere("kubectl get pods --namespace=market", "e2e-x")
