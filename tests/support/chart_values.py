"""The options that chart users can choose from, by dimension, and combinations of them."""

from functools import cache
from typing import Any

from helm_python import values_from_yaml

from support.chart import Manifests, render
from support.pairs import pairwise

Values = dict[str, Any]

#: All values for the scheduling of a pod.
_POD = """
nodeSelector: {disk: fast}
tolerations: [{key: market, operator: Exists}]
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: Exists}]}]
priorityClassName: system-cluster-critical
podLabels: {team: quants}
runtimeClassName: gvisor
hostAliases: [{ip: 10.0.0.1, hostnames: [redis.example]}]
dnsConfig: {options: [{name: ndots, value: "2"}]}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
lifecycle: {postStart: {exec: {command: ["true"]}}}
"""
_PROCESS = """
podAnnotations: {example.org/note: by hand}
extraEnv: [{name: TZ, value: UTC}]
extraEnvFrom: [{secretRef: {name: mine}}]
extraVolumes: [{name: more, configMap: {name: mine}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
"""
#: All values of a PodMonitor.
_POD_MONITOR = """
enabled: true
namespace: monitoring
interval: 1m
scrapeTimeout: 20s
labels: {release: p}
annotations: {example.org/note: by hand}
jobLabel: app.kubernetes.io/name
honorLabels: true
relabelings: [{sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}]
metricRelabelings: [{sourceLabels: [__name__], regex: process_.*, action: drop}]
"""
_CHANGED_RULES = """
enabled: true
namespace: monitoring
labels: {release: p}
annotations: {example.org/note: by hand}
ruleLabels: {team: markets}
runbookUrl: https://example.org/runbooks
disabled: {FinanceHubClockSkew: true}
overrides:
  FinanceHubQueueTooOld: {for: 30m, severity: critical, labels: {team: data}, annotations: {dashboard: tier}}
additionalGroups: [{name: mine, rules: [{record: "mine:up:sum", expr: sum(up)}]}]
"""
_OPERATOR_DASHBOARDS = """
enabled: true
namespace: monitoring
label: ""
grafanaOperator: {enabled: true, instanceSelector: {matchLabels: {dashboards: grafana}}, folder: FinanceHub}
"""
#: A console with users, in which operators may change things, behind the proxies of a cluster.
_CONSOLE_FOR_OPERATORS = """
mode: write
prefix: /financehub
hosts: [market.example.com]
origins: [https://app.example.com]
auth:
  existingSecret: mine
  userHeader: X-Forwarded-User
  trustedProxies: [10.244.0.0/16]
  operators: [alice@example.com]
autoscaling: {enabled: true, minReplicas: 2}
service:
  type: LoadBalancer
  port: 8080
  nodePort: 30080
  loadBalancerClass: example.org/internal
  loadBalancerSourceRanges: [10.0.0.0/8]
  externalTrafficPolicy: Local
  labels: {team: quants}
  annotations: {example.org/note: by hand}
ingress:
  enabled: true
  className: nginx
  annotations: {example.org/note: by hand}
  labels: {team: quants}
  hosts: [{host: market.example.com, paths: [{path: /financehub, pathType: Prefix}]}]
  tls: [{secretName: market-tls, hosts: [market.example.com]}]
httpRoute:
  enabled: true
  annotations: {example.org/note: by hand}
  labels: {team: quants}
  parentRefs: [{name: public, namespace: gateways}]
  hostnames: [market.example.com]
  timeouts: {request: 0s}
"""


def _pod_monitor_in_another_namespace() -> Values:
    return {"metrics": {"podMonitor": values_from_yaml(_POD_MONITOR)}}


def _all_pod_values() -> Values:
    pod, process = values_from_yaml(_POD), values_from_yaml(_POD + _PROCESS)
    redis = pod | {"podAnnotations": process["podAnnotations"]}
    return {"tierDefaults": process, "scheduler": process, "web": process, "redis": redis, "simulator": pod}


#: The values of each option, by dimension and option.
OPTIONS: dict[str, dict[str, Values]] = {
    "scaling": {
        "auto": {},
        "keda": {"autoscaling": {"mode": "keda"}},
        "hpa": {"autoscaling": {"mode": "hpa"}},
        "fixed": {"tierDefaults": {"autoscaling": {"enabled": False}}},
    },
    "redis": {
        "embedded": {},
        "without a disk": {"redis": {"persistence": {"enabled": False, "acceptLoss": True}}},
        "own password": {"redis": {"existingSecret": "mine", "passwordKey": "secret"}},
        "Valkey": {"redis": {"server": "valkey", "resources": {"limits": {"cpu": "1", "memory": "768Mi"}}}},
        "external in parts": {
            "redis": {"enabled": False},
            "externalRedis": {
                "username": "me",
                "existingSecret": "mine",
                "database": 2,
                "sentinel": {
                    "nodes": ["a.example", "b.example:26380"],
                    "master": "mymaster",
                    "username": "watcher",
                    "existingSecret": "watchers",
                },
                "tls": {"enabled": True, "checkHostname": False, "caSecret": "authority"},
            },
        },
        "external": {"redis": {"enabled": False}, "externalRedis": {"url": "redis://cache.example:6380/2"}},
        "external with Sentinels": {
            "redis": {"enabled": False},
            "externalRedis": {
                "url": "redis+sentinel://a.example,b.example/mymaster/2",
                "existingSecret": "mine",
            },
        },
        "external with TLS": {
            "redis": {"enabled": False},
            "externalRedis": {
                "url": "rediss://cache.example/3",
                "existingSecret": "mine",
                "tls": {"caSecret": "authority"},
            },
        },
    },
    "tiers": {"three": {}, "four": {"tiers": {"research": {"image": {"repository": "a/b"}, "module": "research"}}}},
    "rights": {"cluster": {}, "namespaces": {"scheduler": {"namespaces": ["market", "research"]}}},
    "simulator": {"off": {}, "on": {"simulator": {"enabled": True}}},
    "keys": {"none": {}, "given": {"providerKeys": {"existingSecret": "keys"}}},
    "web": {
        "read-only": {},
        "for operators": {"web": values_from_yaml(_CONSOLE_FOR_OPERATORS)},
        "none": {"web": {"enabled": False}},
    },
    "network": {
        "guarded": {},
        "open": {"networkPolicy": {"enabled": False}},
        "named": {
            "networkPolicy": {
                "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}],
                "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "proxies"}}}],
            }
        },
        "closed": {"networkPolicy": {"egress": {"enabled": True, "redisPorts": [6379, 26379], "proxyPorts": [3128]}}},
    },
    "egress": {
        "direct": {},
        "proxy": {"egress": {"proxy": "http://proxy.example.com:3128", "noProxy": ["10.0.0.0/8"]}},
        "secrets": {"egress": {"existingSecret": "proxy", "caSecret": "authorities"}},
    },
    "metrics": {
        "annotations": {},
        "monitor": {"metrics": {"annotations": False, "podMonitor": {"enabled": True, "labels": {"release": "p"}}}},
        "elsewhere": _pod_monitor_in_another_namespace(),
        "off": {"metrics": {"enabled": False}},
    },
    "rules": {
        "none": {},
        "plain": {"metrics": {"prometheusRule": {"enabled": True}}},
        "changed": {"metrics": {"prometheusRule": values_from_yaml(_CHANGED_RULES)}},
    },
    "dashboards": {
        "none": {},
        "sidecar": {"metrics": {"dashboards": {"enabled": True, "annotations": {"grafana_folder": "FinanceHub"}}}},
        "operator": {"metrics": {"dashboards": values_from_yaml(_OPERATOR_DASHBOARDS)}},
    },
    "definition": {
        "kept": {},
        "removed": {"crds": {"keep": False}},
        "not ours": {"crds": {"enabled": False}, "admissionPolicy": {"enabled": False}},
    },
    "pods": {"plain": {}, "everything": _all_pod_values()},
    "disruption": {
        "budgets": {},
        "none": {
            "tierDefaults": {"disruptionBudget": {"enabled": False}, "spread": False},
            "scheduler": {"disruptionBudget": {"enabled": False}, "spread": False},
            "web": {"disruptionBudget": {"enabled": False}, "spread": False},
        },
    },
    "images": {
        "public": {},
        "mirror": {"image": {"registry": "mirror.example/team", "tag": "9.9.9", "pullSecrets": ["pull"]}},
        "digests": {"scheduler": {"image": {"digest": f"sha256:{'a' * 64}"}}},
    },
    "names": {
        "default": {},
        "own": {"fullnameOverride": "prices", "nameOverride": "hub", "commonLabels": {"cost-centre": "7"}},
    },
    "data": {
        "default": {},
        "settings": {"settings": {"FINANCEHUB_LOG_LEVEL": "DEBUG", "DRAMATIQ_MAX_RETRIES": 3}},
        "nothing": {"assets": [], "schedules": {"fetch-news": {"enabled": False}}},
    },
}


def merged(*values: Values) -> Values:
    """Merge values as Helm merges files: later values win, and None removes a key."""
    result: Values = {}
    for each in values:
        for key, value in each.items():
            if value is None and key in result:
                del result[key]
            elif isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            else:
                result[key] = value
    return result


def choice(**options: str) -> Values:
    """Return the values of these options, by dimension. All other dimensions have their defaults."""
    return merged(*(OPTIONS[dimension][option] for dimension, option in options.items()))


#: Values that together contain every pair of options, by a name that lists the non-default options.
COMBINATIONS = {
    ", ".join(f"{dimension}={option}" for dimension, option in sorted(options.items()) if OPTIONS[dimension][option]): (
        choice(**options)
    )
    for options in pairwise({dimension: list(each) for dimension, each in OPTIONS.items()})
}


@cache
def combination(name: str) -> Manifests:
    """Return the manifests of one combination. Each process reads them only once."""
    return render(COMBINATIONS[name])
