"""The address of the Kubernetes API server, and the credentials for it.

Both come from the mounted token of a service account or, outside a pod, from a kubeconfig.
"""

import asyncio
import os
import ssl
from pathlib import Path

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from financehub_shared.core.errors import ConfigError

_MOUNT = Path(config.incluster_config.SERVICE_TOKEN_FILENAME).parent
#: Time limit for a whole request. Lists are requested in pages, so no request takes long.
REQUEST_SECONDS = 10.0


class Connection:
    """The address, TLS settings and credentials of one login. Tokens are renewed when they expire.

    Args:
        configuration: The configuration that the Kubernetes client library loaded.
        namespace: The scheduler's own namespace.
        request_seconds: Time limit for a whole request, in seconds.
    """

    def __init__(self, configuration: Configuration, namespace: str, request_seconds: float = REQUEST_SECONDS) -> None:
        self._configuration = configuration
        self.request_seconds = request_seconds
        self.server = str(configuration.host)
        self.namespace = namespace

    @classmethod
    async def load(cls) -> "Connection":
        """Load the configuration again, including everything renewed since (token, certificate, exec plugin).

        Raises:
            ConfigError: There is neither a mounted service account nor a kubeconfig, or it cannot be read.
        """
        # `Configuration()` is avoided, because its constructor copies process-wide defaults.
        configuration = type.__call__(Configuration)
        try:
            if config.incluster_config.SERVICE_HOST_ENV_NAME in os.environ and _MOUNT.is_dir():
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
                return cls(configuration, (_MOUNT / "namespace").read_text(encoding="utf-8").strip())
            # The library itself reads the environment variable only once.
            file = os.environ.get("KUBECONFIG")
            await config.load_kube_config(file, client_configuration=configuration)  # type: ignore[no-untyped-call]
            # In a thread, because it reads files, as does the line above.
            _, context = await asyncio.to_thread(config.list_kube_config_contexts, file)
        except (TypeError, AttributeError):
            # The library raises these for such a file.
            raise ConfigError(
                "--kubernetes: the kubeconfig is empty, half written, or has a value of the wrong kind; "
                "correct it, as shown by `kubectl config view`"
            ) from None
        except (config.ConfigException, OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(
                f"--kubernetes: {error}; run in a pod with a service account, or set KUBECONFIG to a readable file"
            ) from None
        return cls(configuration, context.get("context", {}).get("namespace") or "default")

    def session(
        self,
        trace: aiohttp.TraceConfig | None = None,
        response_class: type[aiohttp.ClientResponse] = aiohttp.ClientResponse,
        *,
        reuse: bool = True,
    ) -> aiohttp.ClientSession:
        """Open a session on the running event loop. Each of its requests carries a valid token.

        Args:
            trace: Observes every request.
            response_class: Class of the responses.
            reuse: Whether to keep connections open, at the risk that one half-open connection makes several requests
                fail.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls(), limit=0, force_close=not reuse),
            timeout=aiohttp.ClientTimeout(total=self.request_seconds, sock_connect=self.request_seconds / 2),
            middlewares=(self._authorize,),
            trace_configs=[trace] if trace else [],
            response_class=response_class,
        )

    def _tls(self) -> ssl.SSLContext:
        configuration = self._configuration
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # The certificates of many clusters lack extensions that Python 3.13 requires.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        except config.ConfigException as error:
            # The file is being replaced. Callers, including kopf, retry as they do after a lost connection.
            raise aiohttp.ClientConnectionError(f"credentials cannot be read: {error}") from error
        if token:
            request.headers["Authorization"] = token
        return await handler(request)
