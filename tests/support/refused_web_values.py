"""Values of the console that the chart refuses."""

from typing import Any

from support.chart_values import merged
from support.refused_values import Case, Values


def _web(**values: Any) -> Values:
    return {"web": values}


def _auth(**values: Any) -> Values:
    return _web(auth=values)


def _ingress(**values: Any) -> Values:
    return _web(ingress={"enabled": True, **values})


def _service(**values: Any) -> Values:
    return _web(service=values)


def _path(path: str, path_type: str = "Prefix") -> Values:
    return _ingress(hosts=[{"host": "market.example.com", "paths": [{"path": path, "pathType": path_type}]}])


def _route(**values: Any) -> Values:
    return _web(httpRoute={"enabled": True, "parentRefs": [{"name": "public"}], **values})


def _match(path: str, path_type: str = "PathPrefix") -> Values:
    return _route(matches=[{"path": {"type": path_type, "value": path}}])


_PROXY = _auth(userHeader="X-Forwarded-User", trustedProxies=["10.0.0.0/8"])
_WITHOUT_CONSOLE = ("web.enabled is false", "set web.enabled=true")


def _disabled(part: str, values: Values) -> Case:
    """Return the case of a part of a console that does not exist."""
    return Case(
        merged(values, _web(enabled=False)),
        (f"web.{part}.enabled", *_WITHOUT_CONSOLE, f"web.{part}.enabled=false"),
        (_web(enabled=True), _web(**{part: {"enabled": False}})),
    )


_OF_USERS = {
    "write mode for everybody": Case(
        _web(mode="write"),
        ("web.mode", "everybody", "web.auth.existingSecret", "web.auth.userHeader", "web.mode=read-only"),
        (_auth(existingSecret="web-tokens"), _PROXY, _web(mode="read-only")),
    ),
    "a Secret of tokens without a key": Case(
        _auth(existingSecret="web-tokens", tokensKey=""),
        ("web.auth.tokensKey", "web-tokens", "tokens.yaml"),
        (_auth(tokensKey="users.yaml"), _auth(existingSecret="")),
    ),
    "a user header that is not a header": Case(
        _auth(userHeader="X-Forwarded-User:", trustedProxies=["10.0.0.0/8"]),
        ("web.auth.userHeader", "X-Forwarded-User: is not the name of a header"),
        (_auth(userHeader="X-Forwarded-User"),),
    ),
    "a user header from anybody": Case(
        _auth(userHeader="X-Forwarded-User"),
        (
            "web.auth.trustedProxies",
            "anybody could send the header X-Forwarded-User",
            "leave web.auth.userHeader empty",
        ),
        (_auth(trustedProxies=["10.0.0.0/8"]), _auth(userHeader="")),
    ),
    "a trusted proxy that is a name": Case(
        _auth(userHeader="X-Forwarded-User", trustedProxies=["10.0.0.0/8", "ingress-nginx"]),
        ("web.auth.trustedProxies", "ingress-nginx is not an address or network such as 10.244.0.0/16"),
        (_auth(trustedProxies=["10.0.0.0/8"]),),
    ),
    "a trusted network that begins at another address": Case(
        _auth(userHeader="X-Forwarded-User", trustedProxies=["10.244.0.1/16"]),
        ("web.auth.trustedProxies", "10.244.0.1/16 is not the first address of its network", "10.244.0.0/16"),
        (_auth(trustedProxies=["10.244.0.0/16"]), _auth(trustedProxies=["10.244.0.1"])),
    ),
    "a trusted network with too many bits": Case(
        _auth(trustedProxies=["10.244.0.0/64"]),
        ("web.auth.trustedProxies", "10.244.0.0/64 has a prefix that is longer than 32 bits"),
        (_auth(trustedProxies=["10.244.0.0/16"]),),
    ),
    "operators without a user header": Case(
        _auth(existingSecret="web-tokens", operators=["alice"]),
        ("web.auth.operators", "web.auth.userHeader", "the tokens file has the roles"),
        (_PROXY, _auth(operators=[])),
    ),
    "an operator with a comma": Case(
        merged(_PROXY, _auth(operators=["Smith, Alice"])),
        ("web.auth.operators", "Smith, Alice contains a comma", "one entry for each user"),
        (_auth(operators=["alice@example.com"]),),
    ),
}
_OF_ADDRESSES = {
    "a prefix without a slash": Case(
        _web(prefix="financehub"),
        ("web.prefix", "financehub is not a path such as /financehub"),
        (_web(prefix="/financehub"),),
    ),
    "a prefix with a slash at the end": Case(
        _web(prefix="/financehub/"), ("web.prefix", "end it without one"), (_web(prefix="/financehub"),)
    ),
    "a prefix that is a page": Case(
        _web(prefix="/quotes/today"),
        ("web.prefix", "/quotes is also a path of the console", "/financehub/quotes/today"),
        (_web(prefix="/financehub/quotes/today"), _web(prefix="")),
    ),
    "a host name with a scheme": Case(
        _web(hosts=["https://market.example.com"]),
        ("web.hosts", "https://market.example.com is not a host name", "without wildcard, scheme, port and path"),
        (_web(hosts=["market.example.com"]), _web(hosts=[])),
    ),
    "a host name with a wildcard": Case(
        _web(hosts=["*.example.com"]),
        ("web.hosts", "*.example.com is not a host name", "write each name in full"),
        (_web(hosts=["market.example.com"]), _web(hosts=[])),
    ),
    "an origin with a path": Case(
        _web(origins=["https://app.example.com/"]),
        ("web.origins", "https://app.example.com/ is not an origin", "without a path"),
        (_web(origins=["https://app.example.com"]), _web(origins=[])),
    ),
    "an Ingress without hosts": Case(
        _ingress(),
        ("web.ingress.hosts", "missing", "{host: market.example.com}", "web.ingress.enabled=false"),
        (_ingress(hosts=[{"host": "market.example.com"}]), _web(ingress={"enabled": False})),
    ),
    "an Ingress for another path than the prefix": Case(
        _path("/financehub"),
        ("web.ingress.hosts", "/financehub does not lead to the console", "set web.prefix", "leave out paths"),
        (_web(prefix="/financehub"), _ingress(hosts=[{"host": "market.example.com"}])),
    ),
    "an Ingress with a pattern for another path than the prefix": Case(
        _path("/financehub(/|$)(.*)", "ImplementationSpecific"),
        ("web.ingress.hosts", "/financehub(/|$)(.*) does not lead to the console"),
        (_web(prefix="/financehub"), _path("/(.*)", "ImplementationSpecific")),
    ),
    "an Ingress for a page only": Case(
        _path("/", "Exact"), ("web.ingress.hosts", "Exact", "without its style", "use Prefix"), (_path("/"),)
    ),
    "an Ingress for a host that the console refuses": Case(
        merged(_path("/"), _web(hosts=["fin.example.com"])),
        ("web.hosts", "market.example.com of web.ingress.hosts is missing", "421", "leave web.hosts empty"),
        (_web(hosts=["fin.example.com", "Market.example.com."]), _web(hosts=[])),
    ),
    "an Ingress for a wildcard that the console refuses": Case(
        merged(_ingress(hosts=[{"host": "*.example.com"}]), _web(hosts=["example.com"])),
        ("web.hosts", "*.example.com of web.ingress.hosts is missing"),
        (_web(hosts=["market.example.com"]), _web(hosts=[])),
    ),
    "a route without a Gateway": Case(
        _route(parentRefs=[]),
        ("web.httpRoute.parentRefs", "missing", "{name: public, namespace: gateways}", "web.httpRoute.enabled=false"),
        (_route(), _web(httpRoute={"enabled": False})),
    ),
    "a route for another path than the prefix": Case(
        _match("/financehub"),
        ("web.httpRoute.matches", "/financehub does not lead to the console", "set web.prefix", "leave matches empty"),
        (_web(prefix="/financehub"), _match("/")),
    ),
    "a route for a page only": Case(
        _match("/", "Exact"),
        ("web.httpRoute.matches", "the type Exact of the path /", "without its style", "use PathPrefix"),
        (_route(matches=[{"path": {"value": "/"}}]), _route(matches=[])),
    ),
    "a route for a host that the console refuses": Case(
        merged(_route(hostnames=["market.example.com"]), _web(hosts=["fin.example.com"])),
        ("web.hosts", "market.example.com of web.httpRoute.hostnames is missing", "421"),
        (_web(hosts=["market.example.com"]), _web(hosts=[])),
    ),
}
WEB_CASES = {
    **_OF_USERS,
    **_OF_ADDRESSES,
    "an Ingress without a console": _disabled("ingress", _path("/")),
    "a route without a console": _disabled("httpRoute", _route()),
    "scaling without a console": _disabled("autoscaling", _web(autoscaling={"enabled": True})),
    "a port of nodes for a Service in the cluster": Case(
        _service(nodePort=30080),
        ("web.service.nodePort", "the type ClusterIP", "NodePort or LoadBalancer", "remove it"),
        (_service(type="NodePort"), _service(type="LoadBalancer"), _service(nodePort=None)),
    ),
    "a class of load balancers for a Service of nodes": Case(
        _service(type="NodePort", loadBalancerClass="service.k8s.aws/nlb"),
        ("web.service.loadBalancerClass", "the type NodePort", "set web.service.type to LoadBalancer"),
        (_service(type="LoadBalancer"), _service(loadBalancerClass="")),
    ),
    "networks of a load balancer that does not exist": Case(
        _service(loadBalancerSourceRanges=["203.0.113.0/24"]),
        ("web.service.loadBalancerSourceRanges", "the type ClusterIP", "set web.service.type to LoadBalancer"),
        (_service(type="LoadBalancer"), _service(loadBalancerSourceRanges=[])),
    ),
    "a policy for outside of a Service in the cluster": Case(
        _service(externalTrafficPolicy="Local"),
        ("web.service.externalTrafficPolicy", "the type ClusterIP", "NodePort or LoadBalancer"),
        (_service(type="NodePort"), _service(externalTrafficPolicy="")),
    ),
    "a maximum of consoles below the minimum": Case(
        _web(autoscaling={"enabled": True, "minReplicas": 4}),
        ("web.autoscaling", "maxReplicas (3)", "minReplicas (4)", "raise maxReplicas"),
        (_web(autoscaling={"maxReplicas": 4}), _web(autoscaling={"minReplicas": 3})),
    ),
    "CPU scaling of the console without a CPU request": Case(
        _web(autoscaling={"enabled": True}, resources={"requests": {"cpu": None}}),
        ("web.resources.requests.cpu", "missing", "web.autoscaling.enabled=false"),
        (_web(resources={"requests": {"cpu": "50m"}}), _web(autoscaling={"enabled": False})),
    ),
    "a setting that is a value of the console": Case(
        {"settings": {"FINANCEHUB_WEB_USER_HEADER": "X-Forwarded-User"}},
        ("settings.FINANCEHUB_WEB_USER_HEADER", "remove it from settings", "set web.auth.userHeader"),
        ({"settings": {"FINANCEHUB_WEB_USER_HEADER": None}},),
    ),
    "a variable of the pod that is a value of the console": Case(
        _web(extraEnv=[{"name": "FINANCEHUB_WEB_MODE", "value": "write"}]),
        ("web.extraEnv", "FINANCEHUB_WEB_MODE", "remove it from extraEnv", "set web.mode"),
        (_web(extraEnv=[{"name": "FINANCEHUB_WEB_REQUESTS_PER_SECOND", "value": "5"}]), _web(extraEnv=[])),
    ),
    "a variable of the pod on which the Service relies": Case(
        _web(extraEnv=[{"name": "FINANCEHUB_WEB_PORT", "value": "9000"}]),
        ("web.extraEnv", "the chart sets FINANCEHUB_WEB_PORT", "relies on its value", "remove it"),
        (_web(extraEnv=[]),),
    ),
    "a rate of requests that is not a number": Case(
        {"settings": {"FINANCEHUB_WEB_REQUESTS_PER_SECOND": "many"}},
        ("settings.FINANCEHUB_WEB_REQUESTS_PER_SECOND", "many is not a number above 0", "such as 60"),
        ({"settings": {"FINANCEHUB_WEB_REQUESTS_PER_SECOND": 0.5}},),
    ),
}
