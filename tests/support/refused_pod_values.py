"""Values of pods and service accounts that the chart refuses."""

from typing import Any

from support.refused_values import Case, Values


def _high(**values: Any) -> Values:
    return {"tiers": {"high": values}}


def _account(section: str, **values: Any) -> Values:
    return {section: {"serviceAccount": values}}


def _at(section: str, **values: Any) -> Values:
    for name in reversed(section.split(".")):
        values = {name: values}
    return values


def _identity(role: str, name: str = "mine") -> Values:
    return {"serviceAccount": {"name": name, "annotations": {"example.org/role": role}}}


_NO_TOKEN = {"serviceAccount": {"automountToken": False}}
_PORT = [{"name": "FINANCEHUB_HTTP_PORT", "value": "9000"}]
_DATA = [{"name": "data", "emptyDir": {}}]
_MORE = [{"name": "more", "emptyDir": {}}]
_WORKER = [{"name": "worker", "image": "team/proxy:1"}]
_WAIT = [{"name": "wait", "image": "team/wait:1"}]

POD_CASES: dict[str, Case] = {
    "a variable of a tier on which the probes rely": Case(
        _high(extraEnv=_PORT),
        ("tiers.high.extraEnv", "the chart sets FINANCEHUB_HTTP_PORT", "relies on its value", "podDefaults.extraEnv"),
        (_high(extraEnv=[{"name": "FINANCEHUB_LOG_LEVEL", "value": "DEBUG"}]),),
    ),
    "a variable of all pods on which the probes rely": Case(
        {"podDefaults": {"extraEnv": _PORT}},
        ("extraEnv", "the chart sets FINANCEHUB_HTTP_PORT", "podDefaults.extraEnv"),
        ({"podDefaults": {"extraEnv": []}},),
    ),
    "a variable of all pods that is a value of the console": Case(
        {"podDefaults": {"extraEnv": [{"name": "FINANCEHUB_WEB_MODE", "value": "write"}]}},
        ("web.extraEnv", "FINANCEHUB_WEB_MODE", "set web.mode"),
        ({"podDefaults": {"extraEnv": []}},),
    ),
    "the folder of keys as a variable": Case(
        {"providerKeys": {"existingSecret": "mine"}}
        | _high(extraEnv=[{"name": "FINANCEHUB_SECRETS_DIR", "value": "/keys"}]),
        ("tiers.high.extraEnv", "FINANCEHUB_SECRETS_DIR"),
        ({"providerKeys": {"existingSecret": ""}}, _high(extraEnv=[])),
    ),
    "a volume that the claim of Redis replaces": Case(
        {"redis": {"extraVolumes": _DATA}},
        ("redis.extraVolumes", "is the volume data", "choose another name", "redis.persistence.enabled=false"),
        ({"redis": {"extraVolumes": _DATA, "persistence": {"enabled": False, "acceptLoss": True}}},),
    ),
    "a volume of all pods with the name of the configuration of Redis": Case(
        {"podDefaults": {"extraVolumes": [{"name": "configuration", "emptyDir": {}}]}},
        ("redis.extraVolumes", "the chart itself has the volume configuration", "podDefaults.extraVolumes"),
        ({"podDefaults": {"extraVolumes": _MORE}},),
    ),
    "a volume of all pods with the name of the folder of Redis": Case(
        {"podDefaults": {"extraVolumes": [{"name": "run", "emptyDir": {}}]}},
        ("redis.extraVolumes", "the chart itself has the volume run", "choose another name"),
        ({"podDefaults": {"extraVolumes": _MORE}}, {"podDefaults": {"extraVolumes": None}}),
    ),
    "a volume of all pods with the name of the data of Redis": Case(
        {"podDefaults": {"extraVolumes": _DATA}, "redis": {"persistence": {"enabled": False, "acceptLoss": True}}},
        ("redis.extraVolumes", "the chart itself has the volume data", "podDefaults.extraVolumes"),
        ({"podDefaults": {"extraVolumes": _MORE}}, {"redis": {"extraVolumes": _DATA}}),
    ),
    "a volume with the name of the tokens of the console": Case(
        {"web": {"extraVolumes": [{"name": "tokens", "emptyDir": {}}], "auth": {"existingSecret": "mine"}}},
        ("web.extraVolumes", "the chart itself has the volume tokens", "choose another name"),
        ({"web": {"extraVolumes": _MORE}}, {"web": {"auth": {"existingSecret": ""}}}),
    ),
    "a volume with the name of the providers' keys": Case(
        {"providerKeys": {"existingSecret": "mine"}} | _high(extraVolumes=[{"name": "provider-keys", "emptyDir": {}}]),
        ("tiers.high.extraVolumes", "the chart itself has the volume provider-keys"),
        (_high(extraVolumes=_MORE), {"providerKeys": {"existingSecret": ""}}),
    ),
    "a volume with the name of the authorities of the proxy": Case(
        {"egress": {"caSecret": "mine"}} | _high(extraVolumes=[{"name": "egress-ca", "emptyDir": {}}]),
        ("tiers.high.extraVolumes", "the chart itself has the volume egress-ca"),
        (_high(extraVolumes=_MORE), {"egress": {"caSecret": ""}}),
    ),
    "a mount that replaces the data of Redis": Case(
        {"podDefaults": {"extraVolumes": _MORE, "extraVolumeMounts": [{"name": "more", "mountPath": "/data/"}]}},
        ("redis.extraVolumeMounts", "the chart itself mounts a volume at /data/", "podDefaults.extraVolumeMounts"),
        ({"podDefaults": {"extraVolumeMounts": [{"name": "more", "mountPath": "/more"}]}},),
    ),
    "a sidecar with the name of the main container": Case(
        _high(sidecars=_WORKER),
        ("tiers.high.sidecars", "worker is the name of another container", "choose another name"),
        (_high(sidecars=_WAIT),),
    ),
    "an init container with the name of the main container": Case(
        {"podDefaults": {"initContainers": _WORKER}},
        ("initContainers", "worker is the name of another container", "choose another name"),
        ({"podDefaults": {"initContainers": _WAIT}},),
    ),
    "a sidecar with the name of an init container": Case(
        {"podDefaults": {"initContainers": _WAIT}, "web": {"sidecars": _WAIT}},
        ("web.sidecars", "wait is the name of another container"),
        ({"web": {"sidecars": []}}, {"podDefaults": {"initContainers": []}}),
    ),
    "an existing service account without its name": Case(
        _account("web", create=False),
        ("web.serviceAccount.name", "missing", "serviceAccount.create is false", "create=true"),
        (_account("web", create=False, name="mine"), _account("web", create=True)),
    ),
    "limits of all pods below the request of one": Case(
        {"podDefaults": {"resources": {"limits": {"cpu": "20m"}}}},
        ("tiers.high.resources.limits.cpu", "20m is less than the request 100m", "raise the limit"),
        ({"podDefaults": {"resources": {"limits": {"cpu": "2"}}}},),
    ),
    "a sleep that is longer than the grace period": Case(
        {"scheduler": {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}},
        ("scheduler.lifecycle.preStop.sleep.seconds", "31 is longer than the grace period", "write at most 30"),
        ({"scheduler": {"lifecycle": {"preStop": {"sleep": {"seconds": 30}}}}}, {"scheduler": {"lifecycle": None}}),
    ),
    "a limit of a hook below its request": Case(
        {"crds": {"resources": {"limits": {"memory": "32Mi"}}}},
        ("crds.resources.limits.memory", "32Mi is less than the request 64Mi", "lower resources.requests.memory"),
        ({"crds": {"resources": {"requests": {"memory": "32Mi"}}}}, {"crds": {"resources": {"limits": None}}}),
    ),
    "a limit of Redis below its CPU": Case(
        {"redis": {"cpu": 1, "resources": {"limits": {"cpu": "500m"}}}},
        ("redis.resources.limits.cpu", "500m is less than the request 1"),
        ({"redis": {"cpu": "0.5"}}, {"redis": {"resources": {"limits": {"cpu": 1.5}}}}),
    ),
    "no name servers": Case(
        {"web": {"dnsPolicy": "None"}},
        ("web.dnsConfig.nameservers", "missing", "dnsPolicy is None", "remove dnsPolicy"),
        ({"web": {"dnsConfig": {"nameservers": ["10.0.0.10"]}}}, {"web": {"dnsPolicy": None}}),
    ),
    "a rule that only merged values break": Case(
        {
            "podDefaults": {"containerSecurityContext": {"allowPrivilegeEscalation": False}},
            "scheduler": {"containerSecurityContext": {"privileged": True}},
        },
        ("scheduler.containerSecurityContext.privileged", "if allowPrivilegeEscalation is false", "remove one of them"),
        ({"scheduler": {"containerSecurityContext": {"allowPrivilegeEscalation": True}}},),
    ),
    "a name for the account of a hook": Case(
        _account("crds", name="mine"),
        ("crds.serviceAccount.name", "is deleted after the hook", "mine", "crds.serviceAccount.create=false"),
        (_account("crds", name="mine", create=False), _account("crds", name="")),
    ),
    "an identity of one tier without an account for it": Case(
        _high(serviceAccount={"annotations": {"example.org/role": "a"}}),
        ("tiers.high.serviceAccount", "shares the account of all tiers", "tiers.high.serviceAccount.name"),
        (
            _high(serviceAccount={"name": "mine", "annotations": {"example.org/role": "a"}}),
            _high(serviceAccount={"annotations": {"example.org/role": None}}),
        ),
    ),
    "an account of two tiers with different annotations": Case(
        {"tiers": {"high": _identity("a"), "low": _identity("b")}},
        ("tiers.low.serviceAccount.annotations", "example.org/role", "but a in tiers.high", "the account mine"),
        ({"tiers": {"low": _identity("a")}}, {"tiers": {"low": _identity("b", name="other")}}),
    ),
    "an account of a tier and the console with different labels": Case(
        {
            "tiers": {"high": {"serviceAccount": {"name": "mine", "labels": {"team": "a"}}}},
            "web": {"serviceAccount": {"name": "mine", "labels": {"team": "b"}}},
        },
        ("web.serviceAccount.labels", "team is b, but a in tiers.high.serviceAccount", "name two accounts"),
        (
            {"web": {"serviceAccount": {"labels": {"team": "a"}}}},
            {"web": {"serviceAccount": {"labels": {"team": None}}}},
        ),
    ),
    **{
        f"{section} without a token": Case(
            values,
            (f"{section}.serviceAccount.automountToken", "would fail without a token", "remove the value"),
            (_at(section, serviceAccount={"automountToken": True}), _at(section, serviceAccount=None), *more),
        )
        for section, values, *more in (
            ("scheduler", _at("scheduler", **_NO_TOKEN)),
            ("crds", _at("crds", **_NO_TOKEN), {"crds": {"enabled": False}}),
            ("redis.passwordJob", _at("redis.passwordJob", **_NO_TOKEN), {"redis": {"existingSecret": "mine"}}),
        )
    },
    "roles that the Job of the definition lacks": Case(
        {"rbac": {"create": False}, "redis": {"existingSecret": "mine"}},
        ("rbac.create", "the Job of crds", "set crds.enabled=false", "crds.serviceAccount.name"),
        (
            {"crds": {"enabled": False}},
            {"rbac": {"create": True}},
            {"crds": {"serviceAccount": {"create": False, "name": "mine"}}},
        ),
    ),
    "roles that the Job of the password lacks": Case(
        {"rbac": {"create": False}, "crds": {"enabled": False}},
        (
            "rbac.create",
            "the Job of redis.passwordJob",
            "set redis.existingSecret",
            "redis.passwordJob.serviceAccount.name",
        ),
        (
            {"redis": {"existingSecret": "mine"}},
            {"rbac": {"create": True}},
            {"redis": {"passwordJob": {"serviceAccount": {"create": False, "name": "mine"}}}},
        ),
    ),
}
