"""Tests the order in which Helm, Flux and Argo CD run the chart's hooks, from the rendered annotations."""

from collections.abc import Iterator

from support.chart import Document, Manifests, label, render
from support.chart_values import choice

_HOOK, _WEIGHT, _DELETION = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
#: Argo CD's phase for each of Helm's hooks, from the table in its user guide (docs/user-guide/helm.md). It ignores the
#: other hooks.
ARGO_PHASES = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
    "pre-delete": "PreDelete",
    "post-delete": "PostDelete",
}
_EVENTS = ("pre-install", "pre-upgrade", "pre-rollback", "post-delete")
#: A phase that begins after the phase before it has ended.
_ARGO_ORDER = ("PreSync", "Sync", "PostSync")


def _annotation(document: Document, name: str) -> str:
    return str(document["metadata"].get("annotations", {}).get(name, ""))


def _hooks(manifests: Manifests, event: str) -> list[Document]:
    """Return the resources of a hook in the order in which Helm creates them."""
    found = [each for each in manifests.documents if event in _annotation(each, _HOOK).split(",")]
    return sorted(found, key=lambda each: int(_annotation(each, _WEIGHT) or "0"))


def argo_order(document: Document) -> tuple[int, int]:
    """Return the phase and the wave in which Argo CD applies a resource of the chart during a synchronization."""
    hooks = [each for each in _annotation(document, _HOOK).split(",") if each]
    phases = {ARGO_PHASES[each] for each in hooks if each in ARGO_PHASES} if hooks else {"Sync"}
    (phase,) = phases
    return _ARGO_ORDER.index(phase), int(_annotation(document, _WEIGHT) or "0")


def _needed(manifests: Manifests, job: Document) -> Iterator[Document]:
    """Yield the account, the bindings, the roles and the policy that a Job needs, as far as the chart renders them."""
    account = job["spec"]["template"]["spec"]["serviceAccountName"]
    events = _annotation(job, _HOOK)
    of_hook = [each for each in manifests.documents if _annotation(each, _HOOK) == events]
    for each in of_hook:
        if each["kind"] == "ServiceAccount" and each["metadata"]["name"] == account:
            yield each
    labels = job["spec"]["template"]["metadata"]["labels"].items()
    for policy in of_hook:
        if policy["kind"] == "NetworkPolicy" and policy["spec"]["podSelector"]["matchLabels"].items() <= labels:
            yield policy
    for binding in of_hook:
        if binding["kind"].endswith("Binding") and account in [each["name"] for each in binding["subjects"]]:
            yield binding
            role = binding["roleRef"]
            yield from (
                each for each in of_hook if (each["kind"], each["metadata"]["name"]) == (role["kind"], role["name"])
            )


def _weight(document: Document) -> int:
    return int(_annotation(document, _WEIGHT) or "0")


def test_hooks_create_accounts_and_roles_before_bindings_and_these_before_jobs(manifests: Manifests):
    """A Job never starts without its account or its rights, neither with Helm nor with Argo CD."""
    for job in manifests.all("Job"):
        needed = list(_needed(manifests, job))
        kinds = {each["kind"] for each in needed}
        assert "ServiceAccount" in kinds
        assert {each.removesuffix("Binding") for each in kinds if each.endswith("Binding")} <= kinds
        for each in needed:
            limit = _weight(job) if not each["kind"].endswith("Role") else _weight(job) - 1
            assert _weight(each) < limit, (label(each), label(job))


def test_jobs_find_rights_for_each_of_their_events(manifests: Manifests):
    """Every resource of a hook's Job has exactly the events of the Job, so none is missing in one of them."""
    for event in _EVENTS:
        for each in _hooks(manifests, event):
            if each["kind"] != "Job":
                jobs = [job for job in manifests.all("Job") if each in _needed(manifests, job)]
                assert len(jobs) == 1, label(each)


def test_jobs_of_closed_releases_have_a_policy_in_each_of_their_events():
    """With default-deny policies in the namespace, a Job reaches the API server before and after the release exists."""
    manifests = render(choice(network="closed", definition="removed"))
    jobs = manifests.all("Job")
    assert {event for job in jobs for event in _annotation(job, _HOOK).split(",")} == {*_EVENTS}
    for job in jobs:
        assert [each["kind"] for each in _needed(manifests, job)].count("NetworkPolicy") == 1, label(job)
    assert not [each for each in render().all("NetworkPolicy") if _annotation(each, _HOOK)]


def test_hook_resources_are_deleted_before_and_after_each_use(manifests: Manifests):
    """A hook can run any number of times: its resources are deleted before it starts again, and after a success."""
    for each in manifests.documents:
        if _annotation(each, _HOOK):
            assert _annotation(each, _DELETION) == "before-hook-creation,hook-succeeded", label(each)


def test_password_and_definition_precede_what_needs_them(manifests: Manifests):
    """The password exists before any pod starts, and the definition before any ScheduledTask, with Helm and Argo CD."""
    before = [each for each in manifests.all("Job") if "pre-install" in _annotation(each, _HOOK)]
    after = [each for each in manifests.documents if not _annotation(each, _HOOK)]
    assert {each["kind"] for each in after} >= {"Deployment"}
    for job in before:
        assert {"pre-install", "pre-upgrade"} <= {*_annotation(job, _HOOK).split(",")}, label(job)
        for each in after:
            assert argo_order(job) < argo_order(each), (label(job), label(each))


def test_argo_cd_runs_no_hook_of_another_event_during_a_synchronization(manifests: Manifests):
    """Argo CD maps each hook to one phase. It ignores rollbacks and tests, so no resource may depend on these."""
    for each in manifests.documents:
        hooks = [hook for hook in _annotation(each, _HOOK).split(",") if hook]
        phases = {ARGO_PHASES[hook] for hook in hooks if hook in ARGO_PHASES}
        assert len(phases) <= 1, label(each)
        assert phases or not hooks or hooks == ["test"], label(each)
        assert not [name for name in each["metadata"].get("annotations", {}) if name.startswith("argocd.")], label(each)
